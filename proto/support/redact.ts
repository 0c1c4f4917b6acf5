/* What is given to strangers must not open anything. When in doubt, it goes. */

const REMOVED = '(removed)';

/** What opens something, wherever it stands in a text. */
const SECRETS: readonly RegExp[] = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /\bHF1[0-9a-f]{64}::\S+/g, // join tokens
  /\b[a-z0-9]{6}\.[a-z0-9]{32}\b/g, // what is secret in them
  /\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, // tokens of service accounts, and all others of their kind
  /\b(?:Bearer|Basic) +[\w.~+/=-]{8,}/gi,
  /(?<=\/\/)[^\s/"'<>]+(?=@)/g, // of URLs: a name and a password, or a token alone
  /\b(?:gh[a-z]_|github_pat_|glpat-|xox[a-z]-)[\w-]{10,}/g, // of GitHub, GitLab, Slack
  /(?<=\/\/hooks\.slack\.com\/services\/)\S+?(?=["'\s]|$)/g,
];

const WORDS =
  '(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credential|authorization)s?';
/** Fields whose value is nobody's business, by their name. */
const SECRET_NAME = new RegExp(`${WORDS}$`, 'i');
/** An argument whose value is the next one. */
const SECRET_FLAG = new RegExp(`^--?[\\w-]*${WORDS}$`, 'i');
/** As in JSON (also JSON in JSON), YAML, settings of a shell, queries of URLs: the value after such a name. */
const NAMED = new RegExp(
  `(${WORDS}\\\\?["']?\\s*[:=]\\s*)("(?:[^"\\\\]|\\\\.)*"|\\\\"(?:[^"\\\\]|\\\\[^"])*\\\\"|'[^']*'|[^\\s,;&}\\]]+)`,
  'gi',
);
const SIGNATURE = /([?&]sig(?:nature)?=)[^\s&"']+/gi;
/** As in the arguments of a process. */
const AFTER_FLAG = new RegExp(`((?:^|\\s)--?[\\w-]*${WORDS}\\s+)(?!-)([^\\s"']+)`, 'gi');

/** A text without what opens something. Pure. */
export function redactText(text: string): string {
  const bare = SECRETS.reduce((rest, pattern) => rest.replaceAll(pattern, REMOVED), text)
    .replaceAll(SIGNATURE, `$1${REMOVED}`)
    .replaceAll(AFTER_FLAG, `$1${REMOVED}`);
  return bare.replaceAll(NAMED, (all, before: string, value: string) => {
    if (/^(\\?"\\?")?$|^(true|false|null|\(removed\)|[[{|>])/.test(value)) return all;
    const [mark = ''] = /^(?:\\?"|')/.exec(value) ?? [];
    return `${before}${mark}${REMOVED}${mark}`;
  });
}

/** A Kubernetes object as others may see it: no values of environments, no contents of ConfigMaps and Secrets. Pure. */
export function redactObject(value: unknown): unknown {
  if (Array.isArray(value))
    return value.map((each, at) => (isSecretFlag(value[at - 1]) ? REMOVED : redactObject(each)));
  if (typeof value === 'string') return redactText(value);
  if (typeof value !== 'object' || value === null) return value;
  const object = value as Record<string, unknown>;
  const fields = Object.entries(object).map(([name, field]) => [name, redactField(name, field, object)]);
  return Object.fromEntries(fields);
}

function redactField(name: string, field: unknown, { kind }: Record<string, unknown>): unknown {
  const isContent =
    (name === 'data' || name === 'stringData' || name === 'binaryData') &&
    (kind === 'Secret' || kind === 'ConfigMap');
  if (isContent || name === 'kubectl.kubernetes.io/last-applied-configuration') return REMOVED;
  if ((name === 'env' || name === 'httpHeaders') && Array.isArray(field)) return field.map(withoutValue);
  if (SECRET_NAME.test(name) && typeof field === 'string' && field !== '') return REMOVED;
  return redactObject(field);
}

function isSecretFlag(value: unknown): boolean {
  return typeof value === 'string' && SECRET_FLAG.test(value);
}

function withoutValue(variable: unknown): unknown {
  if (typeof variable !== 'object' || variable === null) return REMOVED;
  return { ...(redactObject(variable) as object), ...('value' in variable && { value: REMOVED }) };
}
