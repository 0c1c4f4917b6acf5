import t from 'tap';
import { labelProblems, policyOf, violationsOf } from '../../../hub/admission/pod-security/levels.ts';
import type { KubeObject } from '../../../hub/resources/object.ts';
import * as table from '../../../hub/resources/table-of-resources.ts';
import type { PodObject } from '../../../hub/resources/typed.ts';
import { podOf, refusalOf, withPolicies } from './policies.ts';

const GOOD = {
  allowPrivilegeEscalation: false,
  runAsNonRoot: true,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
};
const specOf = (spec: object, container: object) => podOf('x', spec, container).spec as PodObject['spec'];
const secured = (securityContext: object) => ({ securityContext });

t.test('baseline', async (t) => {
  const rows: [object, object, string][] = [
    [{}, {}, ''],
    [{ hostNetwork: true, hostPID: true }, {}, 'host namespaces (hostNetwork=true, hostPID=true)'],
    [
      {},
      secured({ privileged: true }),
      'privileged (container "a" must not set securityContext.privileged=true)',
    ],
    [
      {},
      secured({ capabilities: { add: ['CHOWN', 'NET_ADMIN', 'BPF'] } }),
      'non-default capabilities (container "a" must not include "BPF", "NET_ADMIN" in securityContext.capabilities.add)',
    ],
    [{ volumes: [{ name: 'v', hostPath: { path: '/' } }] }, {}, 'hostPath volumes (volume "v")'],
    [{}, { ports: [{ containerPort: 1, hostPort: 80 }] }, 'hostPort (container "a" uses hostPort 80)'],
    [
      {},
      secured({ procMount: 'Unmasked' }),
      'procMount (container "a" must not set securityContext.procMount to "Unmasked")',
    ],
    [
      secured({ seLinuxOptions: { type: 'spc_t', user: 'u' } }),
      {},
      'seLinuxOptions (type "spc_t"; user may not be set)',
    ],
    [
      secured({ seccompProfile: { type: 'Unconfined' } }),
      {},
      'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
    ],
    [
      secured({
        sysctls: [
          { name: 'kernel.msgmax', value: '1' },
          { name: 'net.ipv4.tcp_syncookies', value: '1' },
        ],
      }),
      {},
      'forbidden sysctls (kernel.msgmax)',
    ],
  ];
  for (const [spec, container, expected] of rows)
    t.equal(violationsOf('baseline', specOf(spec, container), undefined), expected);
});

t.test('restricted', async (t) => {
  t.equal(violationsOf('restricted', specOf({}, secured(GOOD)), undefined), '');
  t.equal(
    violationsOf('restricted', specOf({}, {}), undefined),
    'allowPrivilegeEscalation != false (container "a" must set securityContext.allowPrivilegeEscalation=false), ' +
      'unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"]), ' +
      'runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true), ' +
      'seccompProfile (pod or container "a" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
  );
  const pod = { securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } } };
  const { runAsNonRoot: _r, seccompProfile: _s, ...own } = GOOD;
  t.equal(
    violationsOf('restricted', specOf(pod, secured(own)), undefined),
    '',
    "the pod's hold for its containers",
  );
  const rows: [object, object, RegExp][] = [
    [{}, secured({ ...GOOD, runAsUser: 0 }), /^runAsUser=0 \(container "a" must not set runAsUser=0\)$/],
    [
      {},
      secured({ ...GOOD, runAsNonRoot: false }),
      /container "a" must not set securityContext.runAsNonRoot=false/,
    ],
    [
      { volumes: [{ name: 'n', nfs: { server: 's', path: '/' } }] },
      secured(GOOD),
      /^restricted volume types \(volume "n" uses restricted volume type "nfs"\)$/,
    ],
    [
      {},
      secured({ ...GOOD, capabilities: { drop: ['ALL'], add: ['CHOWN', 'NET_BIND_SERVICE'] } }),
      /must not include "CHOWN" in securityContext.capabilities.add\)$/,
    ],
  ];
  for (const [spec, container, expected] of rows)
    t.match(violationsOf('restricted', specOf(spec, container), undefined), expected);
});

t.test('labels', async (t) => {
  const label = 'pod-security.kubernetes.io/enforce';
  t.same(policyOf(undefined, 'enforce'), { level: 'privileged', text: 'privileged:latest' });
  t.same(policyOf({ [label]: 'baseline', [`${label}-version`]: 'v1.30' }, 'enforce'), {
    level: 'baseline',
    text: 'baseline:v1.30',
  });
  t.equal(
    policyOf({ [label]: 'garbage' }, 'enforce').level,
    'restricted',
    'what cannot be read is the strictest',
  );
  t.match(labelProblems({ [label]: 'garbage', [`${label}-version`]: '7' }), [
    { label, wanted: 'must be one of privileged, baseline, restricted' },
    { label: `${label}-version`, wanted: 'must be "latest" or "v1.x"' },
  ]);
});

t.test('a namespace holds its pods to its level', async (t) => {
  const { create, registry } = await withPolicies(t);
  const labels = {
    'pod-security.kubernetes.io/enforce': 'baseline',
    'pod-security.kubernetes.io/warn': 'restricted',
  };
  await create(table.namespaces, { metadata: { name: 'safe', labels } });
  const warnings: string[] = [];
  const writing = { fieldManager: 'test', warn: (text: string) => void warnings.push(text) };
  const inSafe = (object: { metadata: object }) =>
    ({ ...object, metadata: { ...object.metadata, namespace: 'safe' } }) as KubeObject;
  t.equal(
    await refusalOf(registry.create(table.pods, inSafe(podOf('p', { hostPID: true })), writing)),
    'pods "p" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostPID=true)',
  );
  const made = await registry.create(table.pods, inSafe(podOf('p')), writing);
  t.match(warnings.splice(0), [/^would violate PodSecurity "restricted:latest": allowPrivilegeEscalation/]);

  const template = { metadata: { labels: { a: 'b' } }, spec: podOf('x', { hostPID: true }).spec };
  const deployment = { metadata: { name: 'd' }, spec: { selector: { matchLabels: { a: 'b' } }, template } };
  await registry.create(table.deployments, inSafe(deployment), writing);
  t.match(warnings.splice(0), [/host namespaces/], 'a template is warned of, not refused');

  const stricter = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  const namespace = registry.get(table.namespaces, undefined, 'safe') as KubeObject;
  await registry.update(
    table.namespaces,
    {
      ...namespace,
      metadata: { ...namespace.metadata, labels: { ...namespace.metadata.labels, ...stricter } },
    },
    writing,
  );
  t.same(warnings, [
    'existing pods in namespace "safe" violate the new PodSecurity enforce level "restricted:latest"',
    'p: allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile',
  ]);
  await registry.update(table.pods, { ...made, metadata: { ...made.metadata, labels: { x: 'y' } } }, writing);
  const bad = { metadata: { name: 'bad', labels: { 'pod-security.kubernetes.io/enforce': 'x' } } };
  t.match(await refusalOf(create(table.namespaces, bad)), /must be one of privileged, baseline, restricted/);
});
