import type { FieldError } from '../resources/api-error.ts';
import { ageColumn, column, nameColumn, wideColumn } from '../resources/cells.ts';
import { invalidValue, required, tooMany } from '../resources/field-errors.ts';
import { labelNameErrors, subdomainNameErrors } from '../resources/names.ts';
import type { KubeObject } from '../resources/object.ts';
import { durationMs } from './duration.ts';
import {
  choice,
  count,
  defineFleetKind,
  duration,
  FLEET_GROUP,
  flag,
  list,
  struct,
  text,
  time,
} from './fleet-kind.ts';

/** A new value of it on a GitSource has the hub look into the repository at once. */
export const RECONCILE_ANNOTATION = `${FLEET_GROUP}/reconcile-at`;
/** On what was applied: `namespace/name` of the GitSource that it comes from. */
export const SOURCE_ANNOTATION = `${FLEET_GROUP}/git-source`;
/** `disabled` on an object: it stays when it goes from the repository. */
export const PRUNE_ANNOTATION = `${FLEET_GROUP}/prune`;

/** The account that applies, where the spec names none. */
export const DEFAULT_ACCOUNT = 'default';

export interface GitRef {
  readonly branch?: string;
  readonly tag?: string;
  readonly commit?: string;
}

/** A GitSource's spec with its defaults. Durations are texts such as `5m`. */
export interface GitSourceSpec {
  readonly url: string;
  /** Absent: what the repository calls its HEAD. */
  readonly ref?: GitRef;
  readonly path: string;
  readonly interval: string;
  readonly timeout: string;
  readonly secretRef?: { readonly name: string };
  readonly prune: boolean;
  readonly suspend: boolean;
  readonly targetNamespace?: string;
  readonly serviceAccountName: string;
  readonly drift: 'correct' | 'report';
  readonly webhook?: { readonly secretRef: { readonly name: string } };
}

/** Names an object of any kind. */
export interface ObjectRef {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
}

export interface GitSourceCondition {
  readonly type: 'Ready' | 'Reconciling' | 'Drifted';
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
  readonly lastTransitionTime: string;
}

/** Why something of a revision was not applied or not removed. */
export interface Failure {
  /** In the repository; absent for what is only in the inventory. */
  readonly file?: string;
  /** `ConfigMap default/settings`; absent when the file could not be read. */
  readonly object?: string;
  readonly message: string;
}

/** An object that is not as the repository has it. */
export interface DriftedObject {
  /** `ConfigMap default/settings` */
  readonly object: string;
  readonly state: 'Missing' | 'Differs';
  /** Of what differs, the first few paths. Never values: it may be a Secret. */
  readonly fields?: readonly string[];
}

export interface GitSourceStatus {
  readonly observedGeneration?: number;
  readonly lastAppliedRevision?: string;
  readonly lastAttemptedRevision?: string;
  readonly lastHandledReconcileAt?: string;
  readonly conditions?: readonly GitSourceCondition[];
  readonly inventory?: readonly ObjectRef[];
  readonly failures?: readonly Failure[];
  readonly drifted?: readonly DriftedObject[];
}

export interface GitSourceObject extends KubeObject {
  spec: GitSourceSpec;
  status?: GitSourceStatus;
}

const SECRET_NAME = struct(
  'A Secret in the same namespace.',
  { name: text('Its name.', { minLength: 1, maxLength: 253 }) },
  { required: ['name'] },
);

const SPEC = struct(
  'Which repository is followed, and how it is applied.',
  {
    url: text(
      'The repository: https://host/path or ssh://user@host/path. Neither http (nobody could tell what was changed on the way) nor local files. No password in it: name a Secret in secretRef.',
      { minLength: 1, maxLength: 2048 },
    ),
    ref: struct('One of branch, tag and commit. What the repository calls its HEAD when absent.', {
      branch: text('The newest commit of this branch.', { minLength: 1, maxLength: 244 }),
      tag: text('What this tag stands for.', { minLength: 1, maxLength: 244 }),
      commit: text('This commit, by all 40 (or 64) digits.', { pattern: '^([0-9a-f]{40}|[0-9a-f]{64})$' }),
    }),
    path: text('The folder that holds the manifests; folders below it are read too.', {
      default: '.',
      maxLength: 1024,
    }),
    interval: duration('How often the repository is asked for something new.', '5m'),
    timeout: duration('How long git may take at a time.', '1m'),
    secretRef: {
      ...SECRET_NAME,
      description:
        'A Secret in the same namespace. For https: username and password, or bearerToken; and ca.crt for a certificate authority of your own. For ssh: identity (a private key) and known_hosts.',
    },
    prune: flag('Whether an object is deleted that has gone from the repository.', false),
    suspend: flag('Whether to leave everything as it is for now.', false),
    targetNamespace: text('All that has a namespace goes into this one, whatever the manifests say.', {
      minLength: 1,
      maxLength: 63,
    }),
    serviceAccountName: text(
      'The service account in the same namespace that everything is applied as: what its roles do not allow is not done.',
      { default: DEFAULT_ACCOUNT, minLength: 1, maxLength: 253 },
    ),
    drift: choice(
      'Whether what somebody changed by hand is put right at once, or only told of in the status.',
      ['correct', 'report'],
      { default: 'correct' },
    ),
    webhook: struct(
      'Lets the Git server tell of a push, at /hooks/git/NAMESPACE/NAME.',
      {
        secretRef: {
          ...SECRET_NAME,
          description: 'A Secret in the same namespace, whose key token is what the Git server signs with.',
        },
      },
      { required: ['secretRef'] },
    ),
  },
  { required: ['url'] },
);

const REF = {
  apiVersion: text('Its API version.'),
  kind: text('Its kind.'),
  namespace: text('Its namespace.'),
  name: text('Its name.'),
};

const STATUS = struct('What has become of it. Written by the hub.', {
  observedGeneration: { type: 'integer', format: 'int64', description: 'The generation that this is about.' },
  lastAppliedRevision: text('The commit that was last applied as a whole.'),
  lastAttemptedRevision: text('The commit that was last found in the repository.'),
  lastHandledReconcileAt: text(`The value of the annotation ${RECONCILE_ANNOTATION} that was last seen to.`),
  conditions: list(
    'Ready: the repository is applied as it is. Reconciling: it is being applied. Drifted: something applied was changed by somebody else.',
    struct(
      'One condition.',
      {
        type: text('Which one.'),
        status: choice('Whether it holds.', ['True', 'False', 'Unknown']),
        reason: text('One word for why.'),
        message: text('Why, in a sentence.'),
        observedGeneration: { ...count('The generation that this is about.'), format: 'int64' },
        lastTransitionTime: time('When its status last changed.'),
      },
      { required: ['type', 'status'] },
    ),
    { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] },
  ),
  inventory: list('All objects that were applied and not yet removed.', struct('One object.', REF)),
  failures: list(
    'What of the last attempted revision could not be applied or removed; the first 50.',
    struct('One of them.', {
      file: text('The file in the repository.'),
      object: text('The object.'),
      message: text('What was wrong.'),
    }),
  ),
  drifted: list(
    'Objects that are not as the repository has them; the first 50.',
    struct('One of them.', {
      object: text('Kind, namespace and name.'),
      state: choice('Whether it is gone or only different.', ['Missing', 'Differs']),
      fields: list('The first paths that differ.', { type: 'string' }),
    }),
  ),
});

/** Follows a repository: what is in it is what is in the cluster. */
export const gitSources = defineFleetKind(
  {
    kind: 'GitSource',
    plural: 'gitsources',
    shortNames: ['gs'],
    description:
      'GitSource follows a branch, tag or commit of a Git repository and applies the manifests in one of its folders, as a service account of its namespace. It tells, and puts right, what somebody changes besides.',
    spec: SPEC,
    status: STATUS,
  },
  {
    validate: (object) => sourceErrors((object as GitSourceObject).spec),
    columns: [
      nameColumn,
      column('URL', 'The repository.', (object) => (object as GitSourceObject).spec.url),
      column('Revision', 'The commit that is applied.', (object) =>
        (statusOf(object).lastAppliedRevision ?? '').slice(0, 12),
      ),
      column(
        'Ready',
        'Whether the repository is applied as it is.',
        (object) => readyOf(object)?.status ?? 'Unknown',
      ),
      column('Status', 'Why.', (object) => readyOf(object)?.message ?? ''),
      wideColumn('Account', 'Who applies.', (object) => (object as GitSourceObject).spec.serviceAccountName),
      ageColumn,
    ],
  },
);

function statusOf(object: KubeObject): GitSourceStatus {
  return (object as GitSourceObject).status ?? {};
}

function readyOf(object: KubeObject): GitSourceCondition | undefined {
  return statusOf(object).conditions?.find(({ type }) => type === 'Ready');
}

const LEAST_INTERVAL_MS = 10_000;
const MOST_TIMEOUT_MS = 600_000;

function sourceErrors(spec: GitSourceSpec): FieldError[] {
  const { url, ref, path, interval, timeout, secretRef, targetNamespace, serviceAccountName, webhook } = spec;
  const urlProblem = gitUrlProblem(url);
  const isSsh = !urlProblem && isSshUrl(url);
  const timeoutMs = durationMs(timeout);
  const names: [string, string | undefined, typeof subdomainNameErrors][] = [
    ['spec.secretRef.name', secretRef?.name, subdomainNameErrors],
    ['spec.targetNamespace', targetNamespace, labelNameErrors],
    ['spec.serviceAccountName', serviceAccountName, subdomainNameErrors],
    ['spec.webhook.secretRef.name', webhook?.secretRef.name, subdomainNameErrors],
  ];
  return [
    ...(urlProblem ? [invalidValue('spec.url', withoutPassword(url), urlProblem)] : []),
    ...(isSsh && !secretRef
      ? [required('spec.secretRef', 'ssh needs a Secret with identity and known_hosts')]
      : []),
    ...refErrors(ref),
    ...(pathProblem(path) ? [invalidValue('spec.path', path, pathProblem(path) ?? '')] : []),
    ...(durationMs(interval) < LEAST_INTERVAL_MS
      ? [invalidValue('spec.interval', interval, 'must be at least 10s; a webhook tells sooner')]
      : []),
    ...(timeoutMs < 1000 || timeoutMs > MOST_TIMEOUT_MS
      ? [invalidValue('spec.timeout', timeout, 'must be from 1s to 10m')]
      : []),
    ...names.flatMap(([field, value, rule]) =>
      value === undefined ? [] : rule(value).map((detail) => invalidValue(field, value, detail)),
    ),
  ];
}

/** What is wrong with where a repository is said to be; undefined when nothing is. */
function gitUrlProblem(url: string): string | undefined {
  if (/^[^/:]+@[^/:]+:/.test(url)) return 'write it as ssh://user@host/path';
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    return 'must be https://host/path or ssh://user@host/path';
  }
  if (parsed.protocol === 'http:')
    return 'http is not accepted: anybody on the way could change what is applied; use https';
  if (parsed.protocol !== 'https:' && parsed.protocol !== 'ssh:')
    return 'must begin with https:// or ssh://: the hub reads repositories of others, not its own files';
  if (parsed.password !== '' || (parsed.protocol === 'https:' && parsed.username !== ''))
    return 'must hold no password or token: put it into a Secret and name that in spec.secretRef';
  if (!/^[A-Za-z0-9[]/.test(parsed.hostname)) return 'must name a host';
  if (parsed.search !== '' || parsed.hash !== '') return 'must not have a query or a fragment';
  if (!/^[\x21-\x7e]+$/.test(url)) return 'must hold no spaces or control characters: escape them';
  return undefined;
}

/** Shown to who may read the object's errors, which logs keep. */
function withoutPassword(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//…@');
}

export function isSshUrl(url: string): boolean {
  return url.startsWith('ssh:');
}

function refErrors(ref: GitRef = {}): FieldError[] {
  const { branch, tag } = ref;
  const given = Object.keys(ref).length;
  return [
    ...(given > 1 ? [tooMany('spec.ref', given, 1)] : []),
    ...Object.entries({ branch, tag }).flatMap(([field, value]) =>
      value === undefined || isRefName(value)
        ? []
        : [invalidValue(`spec.ref.${field}`, value, 'is no name that Git allows')],
    ),
  ];
}

/** Git's own rule for names of branches and tags, but that no part may be an option. */
function isRefName(name: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|\.$|\/$|^\/|^-|^@$/.test(name)) return false;
  return name.split('/').every((part) => !part.startsWith('.') && !part.endsWith('.lock'));
}

function pathProblem(path: string): string | undefined {
  if (path.startsWith('/')) return 'must be relative to the repository';
  if (path.split('/').includes('..')) return 'must not lead out of the repository';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return /[\x00-\x1f\x7f\\]/.test(path) ? 'must hold no control characters and no backslashes' : undefined;
}
