import type { PodSpec } from 'kubernetes-types/core/v1.d.ts';
import t from 'tap';
import { setPodSpecDefaults } from '../../../hub/resources/pod-spec-defaults.ts';
import { referencesOf } from '../../../hub/resources/pod-spec-references.ts';
import { validatePodSpec } from '../../../hub/resources/pod-spec-validation.ts';

type Loose = Record<string, unknown>;

function podSpec(container: Loose, spec: Loose = {}): PodSpec {
  const loose = { containers: [{ name: 'c', image: 'i:1', ...container }], ...spec };
  return structuredClone(loose) as unknown as PodSpec;
}

function defaulted(container: Loose, spec: Loose = {}): PodSpec {
  const result = podSpec(container, spec);
  setPodSpecDefaults(result);
  return result;
}

t.test('defaults of a pod', async (t) => {
  const spec = defaulted({ ports: [{ containerPort: 80 }] });
  t.match(spec, {
    restartPolicy: 'Always',
    dnsPolicy: 'ClusterFirst',
    securityContext: {},
    terminationGracePeriodSeconds: 30,
    schedulerName: 'default-scheduler',
    containers: [
      {
        imagePullPolicy: 'IfNotPresent',
        terminationMessagePath: '/dev/termination-log',
        terminationMessagePolicy: 'File',
        resources: {},
        ports: [{ protocol: 'TCP' }],
      },
    ],
  });
  const again = structuredClone(spec);
  setPodSpecDefaults(again);
  t.same(again, spec, 'defaults of defaults are the same');
});

t.test('an image that may change is always pulled', async (t) => {
  const cases: [string, string][] = [
    ['nginx', 'Always'],
    ['nginx:latest', 'Always'],
    ['nginx:1.25', 'IfNotPresent'],
    ['host:5000/nginx', 'Always'],
    ['host:5000/nginx:1', 'IfNotPresent'],
    [`nginx@sha256:${'0'.repeat(64)}`, 'IfNotPresent'],
  ];
  for (const [image, policy] of cases)
    t.equal(defaulted({ image }).containers[0]?.imagePullPolicy, policy, image);
});

t.test('defaults of probes, volumes and variables', async (t) => {
  const spec = defaulted(
    {
      readinessProbe: { httpGet: { port: 80 } },
      livenessProbe: { grpc: { port: 1 }, periodSeconds: 3 },
      env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
    },
    {
      volumes: [
        { name: 'a' },
        { name: 'b', configMap: { name: 'x' } },
        { name: 'c', hostPath: { path: '/' } },
        { name: 'd', projected: { sources: [{ serviceAccountToken: { path: 't' } }] } },
      ],
      hostNetwork: true,
    },
  );
  const [container] = spec.containers;
  t.match(container?.readinessProbe, {
    httpGet: { path: '/', scheme: 'HTTP' },
    timeoutSeconds: 1,
    periodSeconds: 10,
    successThreshold: 1,
    failureThreshold: 3,
  });
  t.match(container?.livenessProbe, { grpc: { service: '' }, periodSeconds: 3 });
  t.equal(container?.env?.[0]?.valueFrom?.fieldRef?.apiVersion, 'v1');
  t.match(spec.volumes, [
    { emptyDir: {} },
    { configMap: { defaultMode: 420 } },
    { hostPath: { type: '' } },
    { projected: { defaultMode: 420, sources: [{ serviceAccountToken: { expirationSeconds: 3600 } }] } },
  ]);
});

t.test('a pod that uses everything is valid', async (t) => {
  const spec = defaulted(
    {
      ports: [{ containerPort: 80, name: 'http', hostPort: 8080 }],
      env: [
        { name: 'A', value: 'x' },
        { name: 'B', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
      ],
      envFrom: [{ configMapRef: { name: 'cm' } }],
      volumeMounts: [{ name: 'v', mountPath: '/v', subPath: 'a/b' }],
      startupProbe: { exec: { command: ['true'] } },
      readinessProbe: { tcpSocket: { port: 'http' } },
      lifecycle: { preStop: { exec: { command: ['x'] } } },
      resources: {
        requests: { cpu: '1', 'example.com/gpu': '1' },
        limits: { cpu: '1', 'example.com/gpu': '1' },
      },
    },
    {
      initContainers: [{ name: 'i', image: 'i' }],
      volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'x' } }],
      tolerations: [
        { operator: 'Exists' },
        { key: 'a', value: 'b', effect: 'NoExecute', tolerationSeconds: 5 },
      ],
      nodeSelector: { 'example.com/a': 'b' },
    },
  );
  t.same(validatePodSpec(spec, 'spec'), []);
});

t.test('what is wrong is named with its place', async (t) => {
  const c = 'spec.containers[0]';
  const cases: [string, Loose, Loose, string, string][] = [
    ['no image', { image: '' }, {}, `${c}.image`, 'Required value'],
    ['no name', { name: '' }, {}, `${c}.name`, 'Required value'],
    ['a bad name', { name: 'A' }, {}, `${c}.name`, 'Invalid value: "A": a lowercase RFC 1123 label'],
    ['spaces in an image', { image: ' x' }, {}, `${c}.image`, 'Invalid value: " x": must not have leading'],
    [
      'a pull policy',
      { imagePullPolicy: 'Maybe' },
      {},
      `${c}.imagePullPolicy`,
      'Unsupported value: "Maybe": supported values: "Always", "IfNotPresent", "Never"',
    ],
    [
      'a port',
      { ports: [{ containerPort: 70000 }] },
      {},
      `${c}.ports[0].containerPort`,
      'Invalid value: 70000: must be between 1 and 65535, inclusive',
    ],
    [
      'a protocol',
      { ports: [{ containerPort: 1, protocol: 'tcp' }] },
      {},
      `${c}.ports[0].protocol`,
      'Unsupported value',
    ],
    [
      'a port name twice',
      {
        ports: [
          { containerPort: 1, name: 'a' },
          { containerPort: 2, name: 'a' },
        ],
      },
      {},
      `${c}.ports[1].name`,
      'Duplicate value: "a"',
    ],
    [
      'a host port twice',
      {
        ports: [
          { containerPort: 1, hostPort: 5 },
          { containerPort: 2, hostPort: 5 },
        ],
      },
      {},
      `${c}.ports[1].hostPort`,
      'Duplicate value',
    ],
    [
      'a variable',
      { env: [{ name: 'a=b' }] },
      {},
      `${c}.env[0].name`,
      'Invalid value: "a=b": a valid environment',
    ],
    [
      'a value twice',
      { env: [{ name: 'a', value: 'x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }] },
      {},
      `${c}.env[0].valueFrom`,
      'Invalid value: "": may not be specified when `value` is not empty',
    ],
    [
      'no source',
      { env: [{ name: 'a', valueFrom: {} }] },
      {},
      `${c}.env[0].valueFrom`,
      'Invalid value: "": must specify one of',
    ],
    [
      'a reference without key',
      { env: [{ name: 'a', valueFrom: { secretKeyRef: { name: 'x' } } }] },
      {},
      `${c}.env[0].valueFrom.secretKeyRef.key`,
      'Required value',
    ],
    [
      'a field that no variable has',
      { env: [{ name: 'a', valueFrom: { fieldRef: { fieldPath: 'spec.hostname' } } }] },
      {},
      `${c}.env[0].valueFrom.fieldRef.fieldPath`,
      'Invalid value: "spec.hostname": error converting fieldPath: field label not supported: spec.hostname',
    ],
    [
      'a resource that no variable has',
      { env: [{ name: 'a', valueFrom: { resourceFieldRef: { resource: 'limits.gpu' } } }] },
      {},
      `${c}.env[0].valueFrom.resourceFieldRef.resource`,
      'Unsupported value: "limits.gpu"',
    ],
    [
      'a divisor',
      { env: [{ name: 'a', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: '3' } } }] },
      {},
      `${c}.env[0].valueFrom.resourceFieldRef.divisor`,
      'Invalid value: "3": only divisor\'s values 1m and 1',
    ],
    ['no source of variables', { envFrom: [{}] }, {}, `${c}.envFrom[0]`, 'Invalid value'],
    [
      'an unknown volume',
      { volumeMounts: [{ name: 'x', mountPath: '/x' }] },
      {},
      `${c}.volumeMounts[0].name`,
      'Not found: "x"',
    ],
    [
      'a path twice',
      {
        volumeMounts: [
          { name: 'v', mountPath: '/x' },
          { name: 'v', mountPath: '/x' },
        ],
      },
      { volumes: [{ name: 'v' }] },
      `${c}.volumeMounts[1].mountPath`,
      'Invalid value: "/x": must be unique',
    ],
    [
      'an escape',
      { volumeMounts: [{ name: 'v', mountPath: '/x', subPath: '../y' }] },
      { volumes: [{ name: 'v' }] },
      `${c}.volumeMounts[0].subPath`,
      'Invalid value: "../y": must not contain \'..\'',
    ],
    [
      'an empty probe',
      { livenessProbe: {} },
      {},
      `${c}.livenessProbe`,
      'Required value: must specify a handler type',
    ],
    ['a hook of nothing', { lifecycle: { postStart: {} } }, {}, `${c}.lifecycle.postStart`, 'Required value'],
    [
      'a sleep below zero',
      { lifecycle: { preStop: { sleep: { seconds: -1 } } } },
      {},
      `${c}.lifecycle.preStop.sleep`,
      'Invalid value: -1: must be non-negative and less than terminationGracePeriodSeconds (30)',
    ],
    [
      'a user',
      { securityContext: { runAsUser: -1 } },
      {},
      `${c}.securityContext.runAsUser`,
      'Invalid value: -1: must be between 0 and 2147483647',
    ],
    [
      'a group of files',
      {},
      { securityContext: { fsGroup: -1 } },
      'spec.securityContext.fsGroup',
      'Invalid value: -1: must be between 0 and 2147483647',
    ],
    [
      'a profile that would be left out',
      { securityContext: { seccompProfile: { type: 'Strict' } } },
      {},
      `${c}.securityContext.seccompProfile.type`,
      'Unsupported value: "Strict"',
    ],
    [
      'a profile without a name',
      {},
      { securityContext: { seccompProfile: { type: 'Localhost' } } },
      'spec.securityContext.seccompProfile.localhostProfile',
      'Required value: must be set when seccomp type is Localhost',
    ],
    [
      'how /proc is shown',
      { securityContext: { procMount: 'None' } },
      {},
      `${c}.securityContext.procMount`,
      'Unsupported value: "None"',
    ],
    [
      'privileged, and not',
      { securityContext: { privileged: true, allowPrivilegeEscalation: false } },
      {},
      `${c}.securityContext`,
      'Invalid value',
    ],
    [
      'two handlers',
      { livenessProbe: { exec: { command: ['x'] }, tcpSocket: { port: 1 } } },
      {},
      `${c}.livenessProbe.tcpSocket`,
      'Forbidden: may not specify more than 1 handler type',
    ],
    [
      'successes',
      { livenessProbe: { exec: { command: ['x'] }, successThreshold: 2 } },
      {},
      `${c}.livenessProbe.successThreshold`,
      'Invalid value: 2: must be 1',
    ],
    [
      'more than the limit',
      { resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } },
      {},
      `${c}.resources.requests`,
      'Invalid value: "2": must be less than or equal to cpu limit of 1',
    ],
    [
      'devices differ',
      { resources: { requests: { 'a.b/c': '1' }, limits: { 'a.b/c': '2' } } },
      {},
      `${c}.resources.requests`,
      'Invalid value: "1": must be equal to a.b/c limit of 2',
    ],
    [
      'a resource',
      { resources: { limits: { disk: '1' } } },
      {},
      `${c}.resources.limits[disk]`,
      'Invalid value: "disk": must be a standard resource',
    ],
    [
      'below zero',
      { resources: { limits: { cpu: '-1' } } },
      {},
      `${c}.resources.limits[cpu]`,
      'Invalid value: "-1": must be greater than or equal to 0',
    ],
    ['no containers', {}, { containers: [] }, 'spec.containers', 'Required value'],
    [
      'the same name',
      {},
      { initContainers: [{ name: 'c', image: 'x' }] },
      `${c}.name`,
      'Duplicate value: "c"',
    ],
    [
      'a restart policy',
      {},
      { restartPolicy: 'Perhaps' },
      'spec.restartPolicy',
      'Unsupported value: "Perhaps"',
    ],
    ['a DNS policy', {}, { dnsPolicy: 'x' }, 'spec.dnsPolicy', 'Unsupported value: "x"'],
    [
      'grace',
      {},
      { terminationGracePeriodSeconds: -1 },
      'spec.terminationGracePeriodSeconds',
      'Invalid value: -1',
    ],
    [
      'a deadline',
      {},
      { activeDeadlineSeconds: 0 },
      'spec.activeDeadlineSeconds',
      'Invalid value: 0: must be between 1',
    ],
    ['a node', {}, { nodeName: 'A b' }, 'spec.nodeName', 'Invalid value: "A b"'],
    ['a selector', {}, { nodeSelector: { a: 'b c' } }, 'spec.nodeSelector', 'Invalid value: "b c"'],
    [
      'a toleration',
      {},
      { tolerations: [{ key: 'a', effect: 'Never' }] },
      'spec.tolerations[0].effect',
      'Unsupported value: "Never"',
    ],
    [
      'a toleration of all',
      {},
      { tolerations: [{ effect: 'NoExecute' }] },
      'spec.tolerations[0].operator',
      'Invalid value',
    ],
    [
      'seconds',
      {},
      { tolerations: [{ key: 'a', effect: 'NoSchedule', tolerationSeconds: 1 }] },
      'spec.tolerations[0].effect',
      'Invalid value: "NoSchedule"',
    ],
    [
      'a volume twice',
      {},
      { volumes: [{ name: 'a' }, { name: 'a' }] },
      'spec.volumes[1].name',
      'Duplicate value: "a"',
    ],
    [
      'two sources',
      {},
      { volumes: [{ name: 'a', emptyDir: {}, hostPath: { path: '/' } }] },
      'spec.volumes[0].hostPath',
      'Forbidden: may not specify more than 1 volume type',
    ],
    [
      'a host path',
      {},
      { volumes: [{ name: 'a', hostPath: { path: '/a/../b' } }] },
      'spec.volumes[0].hostPath.path',
      'Invalid value: "/a/../b": must not contain \'..\'',
    ],
    [
      'an item',
      {},
      { volumes: [{ name: 'a', secret: { secretName: 's', items: [{ key: 'k', path: '/x' }] } }] },
      'spec.volumes[0].secret.items[0].path',
      'Invalid value: "/x": must be a relative path',
    ],
    [
      'a secret',
      {},
      { volumes: [{ name: 'a', secret: {} }] },
      'spec.volumes[0].secret.secretName',
      'Required value',
    ],
    [
      'a host port',
      { ports: [{ containerPort: 1, hostPort: 2 }] },
      { hostNetwork: true },
      `${c}.ports[0].hostPort`,
      'Invalid value: 2: must match `containerPort`',
    ],
  ];
  for (const [what, container, spec, field, message] of cases) {
    const errors = validatePodSpec(defaulted(container, spec), 'spec');
    t.same(
      errors.map((error) => error.field),
      [field],
      what,
    );
    t.ok(errors[0]?.message.startsWith(message), `${what}: ${errors[0]?.message}`);
  }
});

t.test('the ConfigMaps and Secrets that a pod needs', async (t) => {
  const spec = podSpec(
    {
      env: [
        { name: 'a', valueFrom: { configMapKeyRef: { name: 'c1', key: 'k' } } },
        { name: 'b', valueFrom: { secretKeyRef: { name: 's1', key: 'k' } } },
      ],
      envFrom: [{ configMapRef: { name: 'c2' } }, { secretRef: { name: 's2' } }],
    },
    {
      initContainers: [{ name: 'i', envFrom: [{ secretRef: { name: 's3' } }] }],
      imagePullSecrets: [{ name: 's4' }],
      volumes: [
        { name: 'v', configMap: { name: 'c1' } },
        { name: 'w', secret: { secretName: 's5' } },
        { name: 'x', projected: { sources: [{ configMap: { name: 'c3' } }, { secret: { name: 's6' } }] } },
      ],
    },
  );
  const { configMaps, secrets } = referencesOf(spec);
  t.same([...configMaps].sort(), ['c1', 'c2', 'c3']);
  t.same([...secrets].sort(), ['s1', 's2', 's3', 's4', 's5', 's6']);
});

t.test('when a container runs again', async (t) => {
  const rule = (exitCodes: unknown, action: unknown = 'Restart') => ({ action, exitCodes });
  const at = 'spec.containers[0]';
  const cases: [Loose, string[]][] = [
    [{ restartPolicy: 'Never' }, []],
    [{ restartPolicy: 'OnFailure', restartPolicyRules: [rule({ operator: 'In', values: [0, 255] })] }, []],
    [{ restartPolicy: 'Sometimes' }, [`${at}.restartPolicy`]],
    [{ restartPolicyRules: [rule({ operator: 'NotIn', values: [1] })] }, [`${at}.restartPolicy`]],
    [{ restartPolicy: 'Never', restartPolicyRules: [{}] }, ['[0].action', '[0].exitCodes']],
    [
      { restartPolicy: 'Never', restartPolicyRules: [rule({ operator: 'Is', values: [-1, 256] }, 'Stop')] },
      ['[0].action', '[0].exitCodes.operator', '[0].exitCodes.values[0]', '[0].exitCodes.values[1]'],
    ],
    [
      { restartPolicy: 'Never', restartPolicyRules: Array(21).fill(rule({ operator: 'In', values: [1] })) },
      [''],
    ],
  ];
  for (const [container, fields] of cases) {
    const found = validatePodSpec(defaulted(container), 'spec').map(({ field }) => field);
    const wanted = fields.map((field) => (field.startsWith(at) ? field : `${at}.restartPolicyRules${field}`));
    t.same(found, wanted, JSON.stringify(container).slice(0, 100));
  }
});
