/** A name, and a number, a word (true and false among them) or a quoted text, as nearly all settings are. Words that begin with a letter or a slash are text in any YAML, but these. */
const LINE = /^([A-Za-z]\w*): +(?:(\d{1,9})|([A-Za-z/](?:[\w./:@-]*[\w./@-])?)|"([ !#-[\]-~]*)") *(?: #.*)?$/;
const NOTHING = /^ *(?:#.*)?$/;
const NOT_TEXT = /^(?:null|true|false|yes|no|on|off|y|n)$/i;
const BOOLEANS: Readonly<Record<string, boolean>> = { true: true, false: false };

/**
 * What a file says that has nothing but such lines; undefined for all others, which a parser of YAML must read. That takes a
 * device 1.5 MiB for good, and most files are like this. For every text: either what the parser would say, or nothing. Pure.
 */
export function readPlainYaml(text: string): Record<string, string | number | boolean> | undefined {
  const values: Record<string, string | number | boolean> = {};
  for (const line of text.split('\n')) {
    if (NOTHING.test(line)) continue;
    const [, name, number, word, quoted] = LINE.exec(line) ?? [];
    if (name === undefined || Object.hasOwn(values, name)) return undefined;
    if (number !== undefined && /^0\d/.test(number)) return undefined;
    const truth = Object.hasOwn(BOOLEANS, word ?? '') ? BOOLEANS[word ?? ''] : undefined;
    if (word !== undefined && truth === undefined && NOT_TEXT.test(word)) return undefined;
    values[name] = number === undefined ? (truth ?? word ?? quoted ?? '') : Number(number);
  }
  return values;
}
