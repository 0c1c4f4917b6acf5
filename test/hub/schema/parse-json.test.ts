import { test } from 'tap';
import { checkParsed, MAX_DEPTH, parseJson } from '../../../hub/schema/parse-json.ts';

test('keys that come twice are named with their paths', (t) => {
  const cases: [text: string, duplicates: string[]][] = [
    ['{"a":1,"b":2}', []],
    ['{"a":1,"a":2}', ['duplicate field "a"']],
    ['{"a":{"b":1,"b":2},"b":3}', ['duplicate field "a.b"']],
    [
      '{"l":[{"x":1},{"x":1,"y":[{"z":0,"z":1}],"x":2}]}',
      ['duplicate field "l[1].y[0].z"', 'duplicate field "l[1].x"'],
    ],
    ['{"a":"{\\"a\\":1}","b":"\\\\","c":",\\"c\\":"}', []],
    ['{"a":1,"\\u0061":2}', ['duplicate field "a"']],
    ['["a","a",{"a":["a","a"]}]', []],
    [' { "a" : [ ] , "a" : { } } ', ['duplicate field "a"']],
    ['{"a":{},"c":[[],{}],"a":"x"}', ['duplicate field "a"']],
    ['"a"', []],
    [JSON.stringify({ a: '","a":"' }), []],
  ];
  for (const [text, duplicates] of cases) {
    const parsed = parseJson(text);
    t.strictSame(parsed.duplicates, duplicates, text);
    t.strictSame(parsed.value, JSON.parse(text));
  }
  t.end();
});

test('bodies that cannot be handled safely are bad requests', (t) => {
  const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
  const cases: [what: string, text: string, message: RegExp][] = [
    ['text that is not JSON', '{"a":', /couldn't parse/],
    ['nothing', '', /couldn't parse/],
    ['more than the depth that can be walked', deep(MAX_DEPTH + 1), /exceeded max depth/],
    ['a depth that overflows the stack', `{"a":${deep(200_000)}}`, /exceeded max depth/],
    ['a key that would set a prototype', '{"a":[{"__proto__":{}}]}', /__proto__/],
    ['the same key in another spelling', '{"__pr\\u006fto__":1}', /__proto__/],
  ];
  for (const [what, text, message] of cases) t.throws(() => parseJson(text), { code: 400, message }, what);
  t.doesNotThrow(
    () => JSON.stringify(structuredClone(parseJson(deep(MAX_DEPTH)).value)),
    'the greatest depth works',
  );
  t.doesNotThrow(() => parseJson('{"a":"__proto__","constructor":1}'));
  t.end();
});

test('values of other notations obey the same limits', (t) => {
  let deep: unknown = 1;
  for (let level = 0; level <= MAX_DEPTH; level++) deep = [deep];
  t.throws(() => checkParsed(deep), { code: 400, message: /max depth/ });
  t.throws(() => checkParsed([JSON.parse('{"__proto__":1}')]), { code: 400, message: /__proto__/ });
  t.doesNotThrow(() => checkParsed({ a: [{ b: null }, 'x'] }));
  t.end();
});
