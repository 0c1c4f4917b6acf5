import t from 'tap';
import { pods } from '../../../hub/resources/table-of-resources.ts';
import type { PodObject } from '../../../hub/resources/typed.ts';
import { created, errorsOf, type Loose, NOW, refuses, sample } from './rule-rows.ts';

const debug = { name: 'debug', image: 'busybox:1', targetContainerName: 'main' };

function changed(part: 'ephemeralcontainers' | 'resize', pod: PodObject, spec: Loose): PodObject {
  const apply = pods.parts?.[part];
  if (!apply) throw new Error(`pods have ${part}`);
  const given = { ...pod, spec: { ...pod.spec, nodeName: 'elsewhere', ...spec } };
  const next = structuredClone(apply(given, pod, NOW)) as PodObject;
  pods.setDefaults?.(next);
  return next;
}

t.test('containers to look into a pod with', async (t) => {
  const pod = created(pods) as PodObject;
  const added = changed('ephemeralcontainers', pod, { ephemeralContainers: [debug] });
  t.match(added.spec, {
    nodeName: undefined,
    ephemeralContainers: [
      { name: 'debug', imagePullPolicy: 'IfNotPresent', terminationMessagePolicy: 'File' },
    ],
  });
  const problems = (next: PodObject, old: PodObject) => errorsOf(pods, next, old, 'ephemeralcontainers');
  t.same(problems(added, pod), []);
  t.match(errorsOf(pods, added, pod), [/^spec: Forbidden: pod updates may not change fields other than/]);
  refuses(t, pods, [
    [
      { spec: { ephemeralContainers: [debug] } },
      'spec.ephemeralContainers: Forbidden: cannot be set on create',
    ],
  ]);
  const rows: [Loose, string][] = [
    [
      { name: 'main', targetContainerName: undefined },
      'spec.ephemeralContainers[0].name: Duplicate value: "main"',
    ],
    [{ targetContainerName: 'x' }, 'spec.ephemeralContainers[0].targetContainerName: Not found: "x"'],
    [{ image: '' }, 'spec.ephemeralContainers[0].image: Required value'],
    [
      { ports: [{ containerPort: 80 }] },
      'spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container',
    ],
  ];
  for (const [change, problem] of rows)
    t.same(
      problems(changed('ephemeralcontainers', pod, { ephemeralContainers: [{ ...debug, ...change }] }), pod),
      [problem],
    );
  const volumeMounts = [{ name: 'v', mountPath: '/v', subPath: 'x' }];
  const part = changed('ephemeralcontainers', pod, { ephemeralContainers: [{ ...debug, volumeMounts }] });
  t.match(problems(part, pod).at(-1), /volumeMounts\[0\].subPath: Forbidden: cannot be set for an Ephemeral/);
  t.same(problems(changed('ephemeralcontainers', added, { ephemeralContainers: [] }), added), [
    'spec.ephemeralContainers: Forbidden: existing ephemeral containers "debug" may not be removed',
  ]);
  const other = { ...debug, image: 'busybox:2' };
  t.same(problems(changed('ephemeralcontainers', added, { ephemeralContainers: [other] }), added), [
    'spec.ephemeralContainers: Forbidden: existing ephemeral containers "debug" may not be changed',
  ]);
});

t.test('other resources for a running pod', async (t) => {
  const resizePolicy = ['cpu', 'memory'].map((resourceName) => ({
    resourceName,
    restartPolicy: 'RestartContainer',
  }));
  const main = (resources: Loose, policy: Loose[] | undefined = resizePolicy) => ({
    containers: [{ name: 'main', image: 'nginx:1.27', resources, resizePolicy: policy }],
  });
  const pod = sample(pods, { spec: main({ requests: { cpu: '1', memory: '1Gi' } }) }) as PodObject;
  const problems = (spec: Loose) => errorsOf(pods, changed('resize', pod, spec), pod, 'resize');
  const resized = changed('resize', pod, {
    containers: [{ name: 'main', image: 'other:1', resources: { requests: { cpu: '2', memory: '1Gi' } } }],
  });
  t.match(resized.spec, {
    nodeName: undefined,
    containers: [{ image: 'nginx:1.27', resources: { requests: { cpu: '2' } } }],
  });
  t.same(problems(main({ requests: { cpu: '2', memory: '2Gi' } })), []);
  const [cpuRestarts = {}] = resizePolicy;
  const inPlace = { ...cpuRestarts, restartPolicy: 'NotRequired' };
  for (const policy of [[], [inPlace], resizePolicy.slice(1)]) {
    const made = sample(pods, { spec: main({ requests: { cpu: '1' } }, policy) }) as PodObject;
    const next = changed('resize', made, main({ requests: { cpu: '2' } }));
    t.same(errorsOf(pods, next, made, 'resize'), [
      'spec.containers[0].resources.requests: Forbidden: cpu of a running container cannot be changed in place here: only where its resizePolicy for cpu is RestartContainer',
    ]);
  }
  t.same(problems(main({ requests: { memory: '1Gi' } })), [
    'spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed',
  ]);
  t.same(problems(main({ requests: { cpu: '1', memory: '1Gi', 'ephemeral-storage': '1Gi' } })), [
    'spec.containers[0].resources.requests: Forbidden: only cpu and memory resources are mutable',
  ]);
  const same = { cpu: '1', memory: '1Gi' };
  t.same(problems(main({ requests: same, limits: same })), [
    'spec: Invalid value: "Guaranteed": Pod QOS Class may not change as a result of resizing',
  ]);
  const init = (cpu: string) => ({
    initContainers: [{ name: 'init', image: 'i:1', resources: { requests: { cpu } } }],
  });
  const prepared = sample(pods, { spec: { ...main({ requests: same }), ...init('1') } }) as PodObject;
  t.same(errorsOf(pods, changed('resize', prepared, init('2')), prepared, 'resize'), [
    'spec.initContainers[0].resources: Forbidden: resources for non-sidecar init containers are immutable',
  ]);
});
