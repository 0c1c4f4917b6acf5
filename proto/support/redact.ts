/* What is given to strangers must not open anything. When in doubt, it goes. */

const REMOVED = '(removed)';

/** What opens something, wherever it stands in a text. */
const SECRETS: readonly RegExp[] = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /\bHF1[0-9a-f]{64}::\S+/g, // join tokens
  /\b[a-z0-9]{6}\.[a-z0-9]{32}\b/g, // what is secret in them
  /\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, // tokens of service accounts, and all others of their kind
  /\b(?:Bearer|Basic) +[\w.~+/=-]{8,}/gi,
  /(?<=\/\/)[^\s/:@]+:[^\s/@]+(?=@)/g, // of URLs
];

/** Fields whose value is nobody's business, by their name. */
const SECRET_NAME =
  /(pass(word|wd|phrase)?|secret|token|api[-_]?key|private[-_]?key|credential|authorization)s?$/i;
/** As in JSON, YAML, settings of a shell: the value after a name. */
const NAMED = /(["']?)([\w.-]+)\1(\s*[:=]\s*)("(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;}\]]+)/g;

/** A text without what opens something. Pure. */
export function redactText(text: string): string {
  const bare = SECRETS.reduce((rest, pattern) => rest.replaceAll(pattern, REMOVED), text);
  return bare.replaceAll(NAMED, (all, quote: string, name: string, between: string, value: string) => {
    if (!SECRET_NAME.test(name) || /^("")?$|^(true|false|null|\(removed\)|[[{|>])/.test(value)) return all;
    const [mark = ''] = /^["']/.exec(value) ?? [];
    return `${quote}${name}${quote}${between}${mark}${REMOVED}${mark}`;
  });
}

/** A Kubernetes object as others may see it: no values of environments, no contents of ConfigMaps and Secrets. Pure. */
export function redactObject(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(redactObject);
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
  if (name === 'env' && Array.isArray(field)) return field.map(withoutValue);
  if (SECRET_NAME.test(name) && typeof field === 'string' && field !== '') return REMOVED;
  return redactObject(field);
}

function withoutValue(variable: unknown): unknown {
  if (typeof variable !== 'object' || variable === null) return REMOVED;
  return { ...(redactObject(variable) as object), ...('value' in variable && { value: REMOVED }) };
}
