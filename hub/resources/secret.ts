import type { FieldError } from './api-error.ts';
import { ageColumn, column, nameColumn } from './cells.ts';
import { byController, defineResource } from './define.ts';
import { immutable, invalidValue, required } from './field-errors.ts';
import { type KubeObject, ownValue } from './object.ts';
import { storedDataErrors } from './stored-data.ts';
import type { SecretObject } from './typed.ts';

/** Types that promise certain keys: whoever uses such a secret relies on them. */
const REQUIRED_KEYS: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
};
const ACCOUNT_TOKEN = 'kubernetes.io/service-account-token';
/** Whose token it is to be. The rest of such a secret is filled in later. */
const ACCOUNT_ANNOTATION = 'kubernetes.io/service-account.name';
const JSON_KEYS = ['.dockercfg', '.dockerconfigjson'];

function setDefaults(object: KubeObject): void {
  const secret = object as SecretObject;
  secret.type ||= 'Opaque';
  if (!secret.stringData) return;
  const encoded = Object.entries(secret.stringData).map(([key, text]) => [
    key,
    Buffer.from(text).toString('base64'),
  ]);
  secret.data = { ...secret.data, ...Object.fromEntries(encoded) };
  delete secret.stringData;
}

function validate(object: KubeObject, old: KubeObject | undefined): FieldError[] {
  const secret = object as SecretObject;
  const errors = storedDataErrors(secret, old as SecretObject | undefined, ['data']);
  for (const key of ownValue(REQUIRED_KEYS, secret.type ?? '') ?? []) {
    const value = secret.data?.[key];
    if (value === undefined) errors.push(required(`data[${key}]`));
    else if (JSON_KEYS.includes(key) && !isJson(value))
      errors.push(invalidValue(`data[${key}]`, '<secret contents redacted>', 'invalid character in JSON'));
  }
  if (secret.type === ACCOUNT_TOKEN && !ownValue(secret.metadata.annotations ?? {}, ACCOUNT_ANNOTATION))
    errors.push(required(`metadata.annotations[${ACCOUNT_ANNOTATION}]`));
  if (old && secret.type !== (old as SecretObject).type) errors.push(immutable('type', secret.type));
  return errors;
}

function isJson(base64: string): boolean {
  try {
    JSON.parse(Buffer.from(base64, 'base64').toString());
    return true;
  } catch {
    return false;
  }
}

export const secrets = defineResource({
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  singular: 'secret',
  namespaced: true,
  schema: 'io.k8s.api.core.v1.Secret',
  setDefaults,
  validate,
  fieldSelectors: { type: (object) => (object as SecretObject).type ?? '' },
  indexes: { controller: byController },
  columns: [
    nameColumn,
    column('Type', 'What the values are for.', (object) => (object as SecretObject).type ?? ''),
    column(
      'Data',
      'The number of values.',
      (object) => `${Object.keys((object as SecretObject).data ?? {}).length}`,
    ),
    ageColumn,
  ],
});
