import t from 'tap';
import { readManifest } from '../../../agent/static-pods/manifest.ts';

const CONTEXT = { node: 'edge', seen: '2026-11-01T00:00:00Z' };
const CONTAINER = { name: 'main', image: 'app:1' };
const podOf = (spec: object, metadata: object = {}) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'own', ...metadata },
    spec: { containers: [CONTAINER], ...spec },
  });

t.test('a manifest becomes a pod of this device', async (t) => {
  const yaml = `
apiVersion: v1
kind: Pod
metadata:
  name: own
  annotations: { note: x }
spec:
  containers:
    - &main { name: main, image: app, resources: { limits: { cpu: 1, memory: 64Mi } } }
    - { <<: *main, name: second, image: 'app:1', env: }
  volumes: [{ name: scratch }]
`;
  const pod = await readManifest(yaml, CONTEXT);
  const { uid, annotations } = pod.metadata;
  t.match(uid, /^[0-9a-f]{32}$/);
  t.same(annotations, {
    note: 'x',
    'kubernetes.io/config.hash': uid,
    'kubernetes.io/config.seen': CONTEXT.seen,
    'kubernetes.io/config.source': 'file',
  });
  t.match(pod, {
    metadata: { name: 'own-edge', namespace: 'default' },
    spec: {
      nodeName: 'edge',
      restartPolicy: 'Always',
      tolerations: [{ operator: 'Exists', effect: 'NoExecute' }],
      volumes: [{ name: 'scratch', emptyDir: {} }],
      containers: [
        { name: 'main', imagePullPolicy: 'Always', resources: { requests: { cpu: 1, memory: '64Mi' } } },
        { name: 'second', imagePullPolicy: 'IfNotPresent' },
      ],
    },
  });
  t.notOk('env' in (pod.spec.containers[1] ?? {}), 'what is empty is not there');
  t.equal((await readManifest(`${yaml}# more\n`, { ...CONTEXT, seen: 'later' })).metadata.uid, uid);
  t.not((await readManifest(yaml.replace('note: x', 'note: y'), CONTEXT)).metadata.uid, uid);
  t.not((await readManifest(yaml, { ...CONTEXT, node: 'other' })).metadata.uid, uid);
  t.equal((await readManifest(podOf({}, { uid: 'mine' }), CONTEXT)).metadata.uid.length, 32);
});

t.test('what is wrong with a manifest is one line', async (t) => {
  const rows: [string, string, RegExp][] = [
    ['nothing', ' \n', /^it is empty$/],
    ['a comment', '# nothing\n', /^it is empty$/],
    ['no YAML', 'kind: [', /^it is no YAML: line 1, column \d+: /],
    ['a text', 'hello', /^it must be a mapping$/],
    ['two documents', `${podOf({})}\n---\n${podOf({})}`, /^it has 2 documents: one pod a file$/],
    [
      'aliases',
      `${'a: &a [x, x, x, x, x, x, x, x, x, x]\n'}${'bcdefgh'.replace(/./g, (each) => `${each}: &${each} [${Array(10).fill(`*${String.fromCharCode(each.charCodeAt(0) - 1)}`)}]\n`)}`,
      /^its aliases make too much of it$/,
    ],
    ['another kind', JSON.stringify({ apiVersion: 'v1', kind: 'Secret' }), /must be a Pod .* is Secret$/],
    ['no name', podOf({}, { name: '' }), /metadata\.name must be a DNS subdomain/],
    ['a long name', podOf({}, { name: 'a'.repeat(250) }), /too long/],
    ['a namespace', podOf({}, { namespace: '../x' }), /metadata\.namespace must be a DNS label/],
    ['no containers', podOf({ containers: [] }), /at least one container/],
    ['a container without a name', podOf({ containers: [{ image: 'x' }] }), /name undefined of a container/],
    ['no image', podOf({ containers: [{ name: 'a' }] }), /container a has no image/],
    ['the same name', podOf({ initContainers: [CONTAINER] }), /two containers have the name main/],
    ['an empty item', podOf({ containers: [null] }), /spec\.containers\[0\] is empty/],
    ['a list that is none', podOf({ containers: {} }), /spec\.containers must be a list/],
    [
      'a port that is a text',
      podOf({ containers: [{ ...CONTAINER, ports: [{ containerPort: '80' }] }] }),
      /spec\.containers\[0\]\.ports\[0\]\.containerPort must be an integer/,
    ],
    [
      'an amount',
      podOf({ containers: [{ ...CONTAINER, resources: { limits: { cpu: 'much' } } }] }),
      /limits\.cpu must be an amount/,
    ],
    ['an unknown field', podOf({ contaners: [] }), /there is no field spec\.contaners/],
    ['what objects inherit', podOf({ constructor: {} }), /there is no field spec\.constructor/],
    ['a label that is a number', podOf({}, { labels: { a: 1 } }), /metadata\.labels\.a must be a text/],
    [
      'a volume that is not there',
      podOf({ containers: [{ ...CONTAINER, volumeMounts: [{ name: 'x', mountPath: '/x' }] }] }),
      /mounts a volume x/,
    ],
    [
      'a ConfigMap',
      podOf({ volumes: [{ name: 'x', configMap: { name: 'settings' } }] }),
      /cannot refer to a ConfigMap \(settings\)/,
    ],
    [
      'a Secret',
      podOf({ containers: [{ ...CONTAINER, envFrom: [{ secretRef: { name: 'key' } }] }] }),
      /cannot refer to a Secret \(key\)/,
    ],
    [
      'a Secret of images',
      podOf({ imagePullSecrets: [{ name: 'login' }] }),
      /cannot refer to a Secret \(login\)/,
    ],
    [
      'a claim',
      podOf({ volumes: [{ name: 'x', persistentVolumeClaim: { claimName: 'data' } }] }),
      /PersistentVolumeClaim \(data\)/,
    ],
    ['an account', podOf({ serviceAccountName: 'robot' }), /service account/],
    [
      'a token',
      podOf({ volumes: [{ name: 'x', projected: { sources: [{ serviceAccountToken: { path: 't' } }] } }] }),
      /token of a service account/,
    ],
    ['containers of another shape', podOf({ ephemeralContainers: [{ env: 5 }] }), /ephemeral containers/],
    ['debugging', podOf({ ephemeralContainers: [CONTAINER] }), /ephemeral containers/],
  ];
  for (const [what, text, problem] of rows) await t.rejects(readManifest(text, CONTEXT), problem, what);
});

t.test('what no device could run as it is meant is refused, with its place', async (t) => {
  const main = (container: object) => podOf({ containers: [{ ...CONTAINER, ...container }] });
  const exec = { command: ['true'] };
  const at = 'spec.containers[0]';
  const rows: [string, string][] = [
    [
      main({ resources: { limits: { cpu: -1 } } }),
      `${at}.resources.limits.cpu must be greater than or equal to 0`,
    ],
    [
      main({ resources: { requests: { memory: '-1Mi' } } }),
      `${at}.resources.requests.memory must be greater than or equal to 0`,
    ],
    [main({ livenessProbe: { periodSeconds: 5 } }), `${at}.livenessProbe must specify a handler type`],
    [
      main({ livenessProbe: { exec, tcpSocket: { port: 1 } } }),
      `${at}.livenessProbe may not specify more than 1 handler type (exec, tcpSocket)`,
    ],
    [
      main({ readinessProbe: { exec, periodSeconds: -1 } }),
      `${at}.readinessProbe.periodSeconds must be greater than or equal to 0`,
    ],
    [
      main({ startupProbe: { tcpSocket: { port: 70000 } } }),
      `${at}.startupProbe.tcpSocket.port must be between 1 and 65535, inclusive`,
    ],
    [
      main({ startupProbe: { httpGet: { port: true } } }),
      `${at}.startupProbe.httpGet.port must be a text or an integer`,
    ],
    [main({ lifecycle: { preStop: {} } }), `${at}.lifecycle.preStop must specify a handler type`],
    [
      main({ lifecycle: { preStop: { sleep: { seconds: -1 } } } }),
      `${at}.lifecycle.preStop.sleep.seconds must be greater than or equal to 0`,
    ],
    [
      main({ ports: [{ containerPort: 0 }] }),
      `${at}.ports[0].containerPort must be between 1 and 65535, inclusive`,
    ],
    [
      main({ ports: [{ containerPort: 1, protocol: 'tcp' }] }),
      `${at}.ports[0].protocol is the unsupported value "tcp": supported values: "SCTP", "TCP", "UDP"`,
    ],
    [main({ imagePullPolicy: 5 }), `${at}.imagePullPolicy must be a text`],
    [
      main({ imagePullPolicy: 'Maybe' }),
      `${at}.imagePullPolicy is the unsupported value "Maybe": supported values: "Always", "IfNotPresent", "Never"`,
    ],
    [
      main({ securityContext: { seccompProfile: { type: 'Strict' } } }),
      `${at}.securityContext.seccompProfile.type is the unsupported value "Strict": supported values: "Localhost", "RuntimeDefault", "Unconfined"`,
    ],
    [
      main({ securityContext: { seccompProfile: {} } }),
      `${at}.securityContext.seccompProfile must have a type`,
    ],
    [
      main({ securityContext: { appArmorProfile: { type: 'Localhost' } } }),
      `${at}.securityContext.appArmorProfile must have a localhostProfile if, and only if, its type is Localhost`,
    ],
    [
      main({ securityContext: { runAsUser: -1 } }),
      `${at}.securityContext.runAsUser must be between 0 and 2147483647, inclusive`,
    ],
    [main({ command: ['a\0b'] }), `${at}.command[0] must not contain NUL characters`],
    [
      podOf({ restartPolicy: 'Perhaps' }),
      'spec.restartPolicy is the unsupported value "Perhaps": supported values: "Always", "OnFailure", "Never"',
    ],
    [
      podOf({ terminationGracePeriodSeconds: -1 }),
      'spec.terminationGracePeriodSeconds must be greater than or equal to 0',
    ],
    [podOf({ activeDeadlineSeconds: 0 }), 'spec.activeDeadlineSeconds must be greater than or equal to 1'],
    [
      podOf({ volumes: [{ name: 'v', hostPath: { path: '/v', type: 'Folder' } }] }),
      'spec.volumes[0].hostPath.type is the unsupported value "Folder": supported values: "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"',
    ],
  ];
  for (const [text, message] of rows) await t.rejects(readManifest(text, CONTEXT), { message }, message);
  const fine = main({
    imagePullPolicy: '',
    ports: [{ containerPort: 1, hostPort: 0 }],
    readinessProbe: { exec: null, httpGet: { port: 'web', scheme: '' }, periodSeconds: 0 },
    securityContext: { seccompProfile: { type: 'Localhost', localhostProfile: 'strict.json' } },
  });
  t.equal((await readManifest(fine, CONTEXT)).metadata.name, 'own-edge');
});
