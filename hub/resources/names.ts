/** Each function returns what is wrong with a name, in Kubernetes' words; an empty array means it is valid. */

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const SUBDOMAIN = `${LABEL}(\\.${LABEL})*`;
const QUALIFIED = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const CONFIG_KEY = '[-._a-zA-Z0-9]+';

const SERVICE_LABEL = '[a-z]([-a-z0-9]*[a-z0-9])?';

const isServiceLabel = new RegExp(`^${SERVICE_LABEL}$`);
const isLabel = new RegExp(`^${LABEL}$`);
const isSubdomain = new RegExp(`^${SUBDOMAIN}$`);
const isQualified = new RegExp(`^${QUALIFIED}$`);
const isConfigKey = new RegExp(`^${CONFIG_KEY}$`);

function tooLongMessage(max: number): string {
  return `must be no more than ${max} bytes`;
}

function withRegex(rule: string, regex: string, ...examples: string[]): string {
  const list = examples.map((each) => `'${each}'`).join(',  or ');
  return `${rule} (e.g. ${list}, regex used for validation is '${regex}')`;
}

const LABEL_RULE = withRegex(
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  LABEL,
  'my-name',
  '123-abc',
);
const SERVICE_RULE = withRegex(
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  SERVICE_LABEL,
  'my-name',
  'abc-123',
);
const SUBDOMAIN_RULE = withRegex(
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  SUBDOMAIN,
  'example.com',
);
const QUALIFIED_RULE = withRegex(
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  QUALIFIED,
  'MyName',
  'my.name',
  '123-abc',
);
const VALUE_RULE = withRegex(
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  `(${QUALIFIED})?`,
  'MyValue',
  'my_value',
  '12345',
);
const CONFIG_KEY_RULE = withRegex(
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
  CONFIG_KEY,
  'key.name',
  'KEY_NAME',
  'key-name',
);

export function labelNameErrors(name: string): string[] {
  const errors: string[] = [];
  if (name.length > 63) errors.push(tooLongMessage(63));
  if (!isLabel.test(name)) errors.push(LABEL_RULE);
  return errors;
}

/** Services: their names become environment variables too, so they begin with a letter. */
export function serviceNameErrors(name: string): string[] {
  const errors: string[] = [];
  if (name.length > 63) errors.push(tooLongMessage(63));
  if (!isServiceLabel.test(name)) errors.push(SERVICE_RULE);
  return errors;
}

export function subdomainNameErrors(name: string): string[] {
  const errors: string[] = [];
  if (name.length > 253) errors.push(tooLongMessage(253));
  if (!isSubdomain.test(name)) errors.push(SUBDOMAIN_RULE);
  return errors;
}

/** Names that only have to be usable as one segment of a URL's path (RBAC: `system:node`). */
export function pathNameErrors(name: string): string[] {
  if (name === '.' || name === '..') return [`may not be '${name}'`];
  return ['/', '%'].filter((each) => name.includes(each)).map((each) => `may not contain '${each}'`);
}

/** Keys of labels and annotations: `[prefix/]name`. */
export function qualifiedNameErrors(key: string): string[] {
  const parts = key.split('/');
  if (parts.length > 2)
    return [
      `a qualified name ${QUALIFIED_RULE} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  const errors: string[] = [];
  const name = parts.at(-1) ?? '';
  if (parts.length === 2) errors.push(...prefixErrors(parts[0] ?? ''));
  if (name === '') errors.push('name part must be non-empty');
  else if (name.length > 63) errors.push(`name part ${tooLongMessage(63)}`);
  if (!isQualified.test(name)) errors.push(`name part ${QUALIFIED_RULE}`);
  return errors;
}

function prefixErrors(prefix: string): string[] {
  if (prefix === '') return ['prefix part must be non-empty'];
  return subdomainNameErrors(prefix).map((each) => `prefix part ${each}`);
}

export function labelValueErrors(value: string): string[] {
  const errors: string[] = [];
  if (value.length > 63) errors.push(tooLongMessage(63));
  if (value !== '' && !isQualified.test(value)) errors.push(VALUE_RULE);
  return errors;
}

/** Since Kubernetes 1.34 any printable ASCII but `=` may name an environment variable. */
export function environmentNameErrors(name: string): string[] {
  if (name === '') return ['environment variable name must be non-empty'];
  return /^[ -<>-~]+$/.test(name)
    ? []
    : ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
}

/** Keys of ConfigMaps and Secrets: they become file names. */
export function configKeyErrors(key: string): string[] {
  const errors: string[] = [];
  if (key.length > 253) errors.push(tooLongMessage(253));
  if (!isConfigKey.test(key)) errors.push(CONFIG_KEY_RULE);
  if (key === '.') errors.push("must not be '.'");
  else if (key === '..') errors.push("must not be '..'");
  else if (key.startsWith('..')) errors.push("must not start with '..'");
  return errors;
}

export function portNameErrors(name: string): string[] {
  const errors: string[] = [];
  if (name.length > 15) errors.push('must be no more than 15 characters');
  if (!/^[-a-z0-9]+$/.test(name))
    errors.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(name)) errors.push('must contain at least one letter (a-z)');
  if (name.includes('--')) errors.push('must not contain consecutive hyphens');
  if (name.startsWith('-') || name.endsWith('-')) errors.push('must not begin or end with a hyphen');
  return errors;
}

export function portNumberErrors(port: number): string[] {
  return port >= 1 && port <= 65535 ? [] : ['must be between 1 and 65535, inclusive'];
}

/** `*.example.com`: one label for any. */
export function wildcardNameErrors(name: string): string[] {
  const errors = subdomainNameErrors(name.replace(/^\*\./, ''));
  return errors.length === 0
    ? []
    : [
        `a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.${SUBDOMAIN}')`,
      ];
}

/** `example.com/name`: who may decide is who owns the domain. */
export function domainPathErrors(path: string): string[] {
  const slash = path.indexOf('/');
  if (slash <= 0 || slash === path.length - 1)
    return ['must be a domain-prefixed path (such as "acme.io/foo")'];
  return [
    ...subdomainNameErrors(path.slice(0, slash)),
    ...(/^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/.test(path.slice(slash + 1))
      ? []
      : ["Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')"]),
  ];
}
