/*
 * What the manifest of a pod may have, of which type, and what of it no device could run: there is no API server in front of
 * it that would look, so that the hub's words stand here as well. Pure.
 */

type Scalar = 'string' | 'boolean' | 'integer' | 'quantity' | 'any';
/** What is wrong with a value, to stand behind its path. */
type Check = (value: unknown) => string | undefined;
/** Of an object's shape: what must be true of its fields together. */
const TOGETHER = Symbol('together');
/** A scalar, a check, a list of what it has, a map (`*`), or an object with just these fields. */
type Shape =
  | Scalar
  | Check
  | readonly [Shape]
  | { readonly [TOGETHER]?: Check; readonly [field: string]: Shape };

/** Empty is as if it were not there. */
function oneOf(...values: readonly string[]): Check {
  return (value) => {
    if (typeof value !== 'string') return 'must be a text';
    if (value === '' || values.includes(value)) return undefined;
    const supported = values.map((each) => JSON.stringify(each)).join(', ');
    return `is the unsupported value ${JSON.stringify(value)}: supported values: ${supported}`;
  };
}

function between(least: number, most = Number.MAX_SAFE_INTEGER): Check {
  return (value) => {
    if (!Number.isSafeInteger(value)) return 'must be an integer';
    if ((value as number) >= least && (value as number) <= most) return undefined;
    return most === Number.MAX_SAFE_INTEGER
      ? `must be greater than or equal to ${least}`
      : `must be between ${least} and ${most}, inclusive`;
  };
}

const COUNT = between(0);
const ID = between(0, 2147483647);
const PORT = between(1, 65535);
const POLICIES = ['Always', 'OnFailure', 'Never'];

function portOrName(value: unknown): string | undefined {
  if (typeof value === 'string') return value === '' ? 'must be a port or the name of one' : undefined;
  return Number.isSafeInteger(value) ? PORT(value) : 'must be a text or an integer';
}

function oneHandler(...names: readonly string[]): Check {
  return (value) => {
    const given = names.filter((name) => isGiven((value as Readonly<Record<string, unknown>>)[name]));
    if (given.length === 0) return 'must specify a handler type';
    return given.length > 1 ? `may not specify more than 1 handler type (${given.join(', ')})` : undefined;
  };
}

function profileProblem(value: unknown): string | undefined {
  const { type, localhostProfile } = value as Readonly<Record<string, unknown>>;
  if (!type) return 'must have a type';
  if ((type === 'Localhost') === isGiven(localhostProfile)) return undefined;
  return 'must have a localhostProfile if, and only if, its type is Localhost';
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}

const NAME_AND_VALUE = { name: 'string', value: 'string' } as const;
const MODE = between(0, 0o777);
const ITEMS = [{ key: 'string', path: 'string', mode: MODE }] as const;
const FIELD = { apiVersion: 'string', fieldPath: 'string' } as const;
const RESOURCE_FIELD = { containerName: 'string', resource: 'string', divisor: 'quantity' } as const;
const REFERENCE = { name: 'string', optional: 'boolean' } as const;
const DOWNWARD = [{ path: 'string', mode: MODE, fieldRef: FIELD, resourceFieldRef: RESOURCE_FIELD }] as const;
const PROFILE = {
  type: oneOf('Localhost', 'RuntimeDefault', 'Unconfined'),
  localhostProfile: 'string',
  [TOGETHER]: profileProblem,
} as const;
const SELINUX = { user: 'string', role: 'string', type: 'string', level: 'string' } as const;

const ACTION = {
  exec: { command: ['string'] },
  httpGet: {
    path: 'string',
    port: portOrName,
    host: 'string',
    scheme: oneOf('HTTP', 'HTTPS'),
    httpHeaders: [NAME_AND_VALUE],
  },
  tcpSocket: { port: portOrName, host: 'string' },
} as const;

const PROBE = {
  ...ACTION,
  grpc: { port: PORT, service: 'string' },
  initialDelaySeconds: COUNT,
  timeoutSeconds: COUNT,
  periodSeconds: COUNT,
  successThreshold: COUNT,
  failureThreshold: COUNT,
  terminationGracePeriodSeconds: between(1),
  [TOGETHER]: oneHandler('exec', 'httpGet', 'tcpSocket', 'grpc'),
} as const;

const HOOK = {
  ...ACTION,
  sleep: { seconds: COUNT },
  [TOGETHER]: oneHandler('exec', 'httpGet', 'tcpSocket', 'sleep'),
} as const;

const CONTAINER = {
  name: 'string',
  image: 'string',
  command: ['string'],
  args: ['string'],
  workingDir: 'string',
  ports: [
    {
      name: 'string',
      containerPort: PORT,
      hostPort: between(0, 65535),
      hostIP: 'string',
      protocol: oneOf('SCTP', 'TCP', 'UDP'),
    },
  ],
  env: [
    {
      ...NAME_AND_VALUE,
      valueFrom: {
        fieldRef: FIELD,
        resourceFieldRef: RESOURCE_FIELD,
        configMapKeyRef: { ...REFERENCE, key: 'string' },
        secretKeyRef: { ...REFERENCE, key: 'string' },
        fileKeyRef: 'any',
      },
    },
  ],
  envFrom: [{ prefix: 'string', configMapRef: REFERENCE, secretRef: REFERENCE }],
  resources: { limits: { '*': 'quantity' }, requests: { '*': 'quantity' }, claims: ['any'] },
  resizePolicy: ['any'],
  restartPolicy: oneOf(...POLICIES),
  restartPolicyRules: [{ action: 'string', exitCodes: { operator: 'string', values: ['integer'] } }],
  volumeMounts: [
    {
      name: 'string',
      mountPath: 'string',
      readOnly: 'boolean',
      recursiveReadOnly: 'string',
      subPath: 'string',
      subPathExpr: 'string',
      mountPropagation: oneOf('None', 'HostToContainer', 'Bidirectional'),
    },
  ],
  volumeDevices: ['any'],
  livenessProbe: PROBE,
  readinessProbe: PROBE,
  startupProbe: PROBE,
  lifecycle: { postStart: HOOK, preStop: HOOK, stopSignal: 'string' },
  terminationMessagePath: 'string',
  terminationMessagePolicy: oneOf('File', 'FallbackToLogsOnError'),
  imagePullPolicy: oneOf('Always', 'IfNotPresent', 'Never'),
  securityContext: {
    capabilities: { add: ['string'], drop: ['string'] },
    privileged: 'boolean',
    runAsUser: ID,
    runAsGroup: ID,
    runAsNonRoot: 'boolean',
    readOnlyRootFilesystem: 'boolean',
    allowPrivilegeEscalation: 'boolean',
    procMount: oneOf('Default', 'Unmasked'),
    seccompProfile: PROFILE,
    appArmorProfile: PROFILE,
    seLinuxOptions: SELINUX,
  },
  stdin: 'boolean',
  stdinOnce: 'boolean',
  tty: 'boolean',
} as const;

const VOLUME = {
  name: 'string',
  emptyDir: { medium: 'string', sizeLimit: 'quantity' },
  hostPath: {
    path: 'string',
    type: oneOf(
      'DirectoryOrCreate',
      'Directory',
      'FileOrCreate',
      'File',
      'Socket',
      'CharDevice',
      'BlockDevice',
    ),
  },
  downwardAPI: { items: DOWNWARD, defaultMode: MODE },
  projected: {
    defaultMode: MODE,
    sources: [
      {
        downwardAPI: { items: DOWNWARD },
        configMap: { ...REFERENCE, items: ITEMS },
        secret: { ...REFERENCE, items: ITEMS },
        serviceAccountToken: 'any',
        clusterTrustBundle: 'any',
        podCertificate: 'any',
      },
    ],
  },
  configMap: { ...REFERENCE, items: ITEMS, defaultMode: MODE },
  secret: { secretName: 'string', optional: 'boolean', items: ITEMS, defaultMode: MODE },
  persistentVolumeClaim: { claimName: 'string', readOnly: 'boolean' },
  image: 'any',
  ephemeral: 'any',
  csi: 'any',
  nfs: 'any',
  iscsi: 'any',
  fc: 'any',
  cephfs: 'any',
} as const;

const POD = {
  apiVersion: 'string',
  kind: 'string',
  metadata: {
    name: 'string',
    namespace: 'string',
    labels: { '*': 'string' },
    annotations: { '*': 'string' },
    uid: 'string',
    creationTimestamp: 'any',
    ownerReferences: 'any',
    managedFields: 'any',
    resourceVersion: 'string',
    generation: 'integer',
  },
  spec: {
    containers: [CONTAINER],
    initContainers: [CONTAINER],
    ephemeralContainers: ['any'],
    volumes: [VOLUME],
    restartPolicy: oneOf(...POLICIES),
    terminationGracePeriodSeconds: COUNT,
    activeDeadlineSeconds: between(1),
    dnsPolicy: oneOf('ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'),
    dnsConfig: { nameservers: ['string'], searches: ['string'], options: [NAME_AND_VALUE] },
    nodeSelector: { '*': 'string' },
    serviceAccountName: 'string',
    serviceAccount: 'string',
    automountServiceAccountToken: 'boolean',
    nodeName: 'string',
    hostNetwork: 'boolean',
    hostPID: 'boolean',
    hostIPC: 'boolean',
    hostUsers: 'boolean',
    shareProcessNamespace: 'boolean',
    securityContext: {
      runAsUser: ID,
      runAsGroup: ID,
      runAsNonRoot: 'boolean',
      supplementalGroups: [ID],
      supplementalGroupsPolicy: 'string',
      fsGroup: ID,
      fsGroupChangePolicy: 'string',
      sysctls: [NAME_AND_VALUE],
      seccompProfile: PROFILE,
      appArmorProfile: PROFILE,
      seLinuxOptions: SELINUX,
    },
    imagePullSecrets: [{ name: 'string' }],
    hostname: 'string',
    hostnameOverride: 'string',
    subdomain: 'string',
    setHostnameAsFQDN: 'boolean',
    affinity: 'any',
    schedulerName: 'string',
    tolerations: ['any'],
    hostAliases: [{ ip: 'string', hostnames: ['string'] }],
    priorityClassName: 'string',
    priority: 'integer',
    preemptionPolicy: 'string',
    readinessGates: ['any'],
    runtimeClassName: 'string',
    enableServiceLinks: 'boolean',
    overhead: { '*': 'quantity' },
    topologySpreadConstraints: ['any'],
    os: { name: 'string' },
    resources: { limits: { '*': 'quantity' }, requests: { '*': 'quantity' } },
    resourceClaims: ['any'],
    schedulingGates: ['any'],
  },
  status: 'any',
} as const satisfies Shape;

const QUANTITY = /^[+-]?(\d+\.?\d*|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$/;

/** The first thing about the value that is no pod's, where it is. */
export function shapeProblem(value: unknown): string | undefined {
  return problemOf(value, POD, '');
}

function problemOf(value: unknown, shape: Shape, path: string): string | undefined {
  if (value === null || value === undefined) return undefined; // as if it were not there
  if (typeof shape === 'string') return placed(path, scalarProblem(value, shape));
  if (typeof shape === 'function') return placed(path, shape(value));
  if (isList(shape)) {
    if (!Array.isArray(value)) return `${path} must be a list`;
    return first(value.entries(), ([index, item]) =>
      item === null ? `${path}[${index}] is empty` : problemOf(item, shape[0], `${path}[${index}]`),
    );
  }
  if (typeof value !== 'object' || Array.isArray(value)) return `${path || 'it'} must be a mapping`;
  const ofField = first(Object.entries(value), ([field, item]) => {
    const at = path ? `${path}.${field}` : field;
    const known = Object.hasOwn(shape, field) ? shape[field] : shape['*'];
    return known === undefined ? `there is no field ${at}` : problemOf(item, known, at);
  });
  return ofField ?? placed(path, shape[TOGETHER]?.(value));
}

function placed(path: string, problem: string | undefined): string | undefined {
  return problem && `${path} ${problem}`;
}

function scalarProblem(value: unknown, type: Scalar): string | undefined {
  if (!isScalar(value, type)) return `must be ${WORDS[type]}`;
  if (type === 'string' && (value as string).includes('\0')) return 'must not contain NUL characters';
  if (type === 'quantity' && String(value).startsWith('-')) return 'must be greater than or equal to 0';
  return undefined;
}

const WORDS: Readonly<Record<Scalar, string>> = {
  string: 'a text',
  boolean: 'true or false',
  integer: 'an integer',
  quantity: 'an amount, such as 100m or 64Mi',
  any: 'something',
};

function isScalar(value: unknown, type: Scalar): boolean {
  switch (type) {
    case 'string':
      return typeof value === 'string';
    case 'boolean':
      return typeof value === 'boolean';
    case 'integer':
      return Number.isSafeInteger(value);
    case 'quantity':
      return (typeof value === 'string' || typeof value === 'number') && QUANTITY.test(String(value));
    case 'any':
      return true;
  }
}

function isList(shape: Shape): shape is readonly [Shape] {
  return Array.isArray(shape);
}

function first<T>(items: Iterable<T>, look: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const found = look(item);
    if (found !== undefined) return found;
  }
  return undefined;
}
