import type { KubeObject } from '../../resources/object.ts';
import { secrets, serviceAccounts } from '../../resources/table-of-resources.ts';
import type { SecretObject } from '../../resources/typed.ts';
import {
  type ControllerContext,
  type Running,
  splitKey,
  startController,
  unlessGone,
} from '../controller.ts';
import { changeExisting } from '../status.ts';

const TYPE = 'kubernetes.io/service-account-token';
const NAME_ANNOTATION = 'kubernetes.io/service-account.name';
const UID_ANNOTATION = 'kubernetes.io/service-account.uid';
const SOURCE = { fieldManager: 'service-account-token-controller' };

export interface TokenSecretsOptions {
  /** PEM of the CA, for who trusts nothing yet. */
  readonly rootCertificate: string;
  /** A token that is good as long as it stands in the Secret of this name. */
  readonly issue: (account: KubeObject, secret: string) => Promise<string>;
}

/**
 * Fills in Secrets of type `kubernetes.io/service-account-token`: somebody makes one that names a service account, and
 * finds a token in it. They go with their account.
 */
export function startServiceAccountTokens(
  context: ControllerContext,
  { rootCertificate, issue }: TokenSecretsOptions,
): Running {
  const { registry } = context;
  const secretsOf = (account: KubeObject) =>
    registry
      .list(secrets, {
        namespace: account.metadata.namespace ?? '',
        matches: (secret) =>
          (secret as SecretObject).type === TYPE && accountName(secret) === account.metadata.name,
      })
      .items.map(keyOf);
  return startController(context, {
    name: 'service-account-tokens',
    watches: [
      {
        resource: secrets,
        keys: ({ type, object }) =>
          type !== 'DELETED' && (object as SecretObject).type === TYPE ? [keyOf(object)] : [],
      },
      {
        resource: serviceAccounts,
        keys: ({ type, object }) => (type === 'MODIFIED' ? [] : secretsOf(object)),
      },
    ],
    sync: async (key) => {
      const { namespace, name } = splitKey(key);
      const secret = registry.get(secrets, namespace, name) as SecretObject | undefined;
      if (!secret || secret.metadata.deletionTimestamp) return undefined;
      const account = registry.get(serviceAccounts, namespace, accountName(secret));
      if (!account || !isOf(secret, account)) {
        await unlessGone(
          registry.delete(secrets, namespace, name, {
            preconditions: { uid: secret.metadata.uid ?? '' },
          }),
        );
        return undefined;
      }
      if (isComplete(secret, account, rootCertificate)) return undefined;
      const token = secret.data?.['token'] ?? base64(await issue(account, name));
      const filled = (current: KubeObject) => withToken(current, account, token, rootCertificate);
      await changeExisting(registry, secrets, secret, filled, SOURCE);
      return undefined;
    },
  });
}

function keyOf({ metadata: { namespace, name } }: KubeObject): string {
  return `${namespace}/${name}`;
}

function accountName({ metadata }: KubeObject): string {
  return metadata.annotations?.[NAME_ANNOTATION] ?? '';
}

/** Whether the secret is for this account, and not for one that had its name before. */
function isOf({ metadata }: KubeObject, account: KubeObject): boolean {
  const uid = metadata.annotations?.[UID_ANNOTATION];
  return !uid || uid === account.metadata.uid;
}

function isComplete({ metadata, data = {} }: SecretObject, account: KubeObject, root: string): boolean {
  return (
    metadata.annotations?.[UID_ANNOTATION] === account.metadata.uid &&
    data['token'] !== undefined &&
    data['namespace'] !== undefined &&
    data['ca.crt'] === base64(root)
  );
}

function withToken(secret: KubeObject, account: KubeObject, token: string, root: string): KubeObject {
  const { metadata } = secret;
  const { namespace = '', uid = '' } = account.metadata;
  return {
    ...secret,
    metadata: { ...metadata, annotations: { ...metadata.annotations, [UID_ANNOTATION]: uid } },
    data: {
      ...(secret as SecretObject).data,
      token,
      namespace: base64(namespace),
      'ca.crt': base64(root),
    },
  };
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
