import t from 'tap';
import type { KubeObject } from '../../../hub/resources/object.ts';
import { nodes, pods } from '../../../hub/resources/table-of-resources.ts';
import { KEY_ANNOTATION } from '../../../hub/security/node-identity.ts';
import { REBOOT_ANNOTATION } from '../../../proto/node-reboot.ts';
import { startHub, TestHub } from './test-hub.ts';

/* What a device may do with the certificate that it was enrolled with, at the API itself. */

const NAMESPACE = '/api/v1/namespaces/default';
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';
const BY_TEST = { fieldManager: 'test' };

const hub = await startHub(t);
const edge = await TestHub.agentFor(hub.authority, 'system:node:edge', ['system:nodes']);
t.teardown(() => edge.destroy());
const uids = new Map<string, string>();

function pod(name: string, nodeName: string, letter: string): KubeObject {
  const env = [
    { name: 'A', valueFrom: { configMapKeyRef: { name: `settings-${letter}`, key: 'a' } } },
    { name: 'B', valueFrom: { secretKeyRef: { name: `secret-${letter}`, key: 'b' } } },
  ];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: {
      nodeName,
      serviceAccountName: `account-${letter}`,
      containers: [{ name: 'main', image: 'busybox:1', env }],
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName: `claim-${letter}` } }],
    },
  };
}

t.before(async () => {
  await hub.post('/api/v1/namespaces', { metadata: { name: 'kube-node-lease' } });
  for (const name of ['edge', 'far'])
    await hub.registry.create(
      nodes,
      { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: {} },
      BY_TEST,
    );
  for (const [name, node, letter] of [
    ['mine', 'edge', 'a'],
    ['theirs', 'far', 'b'],
  ] as const) {
    const { metadata } = await hub.registry.create(pods, pod(name, node, letter), BY_TEST);
    uids.set(name, metadata.uid ?? '');
    await hub.post(`${NAMESPACE}/secrets`, { metadata: { name: `secret-${letter}` } });
    await hub.post(`${NAMESPACE}/configmaps`, { metadata: { name: `settings-${letter}` } });
    await hub.post(`${NAMESPACE}/serviceaccounts`, { metadata: { name: `account-${letter}` } });
  }
});

const cannot = (what: string, verb: string, resource: string, why: string) =>
  `${what} is forbidden: User "system:node:edge" cannot ${verb} resource "${resource}" in API group "" ${why}`;
const UNRELATED = 'in the namespace "default": no relationship found between node \'edge\' and this object';

t.test('it reads what belongs to its pods and nothing else', async (t) => {
  for (const path of [
    '/api/v1/nodes/edge',
    `${NAMESPACE}/pods/mine`,
    '/api/v1/pods?fieldSelector=spec.nodeName%3Dedge',
    `${NAMESPACE}/secrets/secret-a`,
    `${NAMESPACE}/configmaps/settings-a`,
    `${NAMESPACE}/secrets?fieldSelector=metadata.name%3Dsecret-a`,
    '/api/v1/services',
    '/apis',
  ])
    t.equal((await hub.get(path, { agent: edge })).code, 200, path);
  const refusals: [string, string][] = [
    [`${NAMESPACE}/secrets/secret-b`, cannot('secrets "secret-b"', 'get', 'secrets', UNRELATED)],
    [`${NAMESPACE}/configmaps/settings-b`, cannot('configmaps "settings-b"', 'get', 'configmaps', UNRELATED)],
    [`${NAMESPACE}/pods/theirs`, cannot('pods "theirs"', 'get', 'pods', UNRELATED)],
    [
      `${NAMESPACE}/persistentvolumeclaims/claim-b`,
      cannot('persistentvolumeclaims "claim-b"', 'get', 'persistentvolumeclaims', UNRELATED),
    ],
    [
      `${NAMESPACE}/secrets`,
      cannot('secrets', 'list', 'secrets', 'in the namespace "default": No Object name found'),
    ],
    [
      '/api/v1/pods',
      cannot(
        'pods',
        'list',
        'pods',
        'at the cluster scope: can only list/watch pods with spec.nodeName field selector',
      ),
    ],
    [
      '/api/v1/pods?fieldSelector=spec.nodeName%3Dfar',
      cannot(
        'pods',
        'list',
        'pods',
        'at the cluster scope: can only list/watch pods with spec.nodeName field selector',
      ),
    ],
    [
      '/api/v1/nodes/far',
      cannot(
        'nodes "far"',
        'get',
        'nodes',
        "at the cluster scope: node 'edge' cannot read 'far', only its own Node object",
      ),
    ],
    [
      '/api/v1/nodes',
      cannot(
        'nodes',
        'list',
        'nodes',
        "at the cluster scope: node 'edge' cannot read all nodes, only its own Node object",
      ),
    ],
    [
      '/apis/apps/v1/deployments',
      'deployments.apps is forbidden: User "system:node:edge" cannot list resource "deployments" in API group "apps" at the cluster scope',
    ],
  ];
  for (const [path, message] of refusals)
    t.match(await hub.get(path, { agent: edge }), { code: 403, body: { message } }, path);
  t.equal(
    (await hub.get(`${NAMESPACE}/persistentvolumeclaims/claim-a`, { agent: edge })).code,
    404,
    'may look',
  );
});

const merge = (path: string, body: object) =>
  hub.call('PATCH', path, {
    agent: edge,
    body,
    headers: { 'content-type': 'application/merge-patch+json' },
  });

t.test('it writes what is its own, and nothing that draws work to it', async (t) => {
  const fine: [string, object][] = [
    ['/api/v1/nodes/edge', { metadata: { labels: { site: 'north', 'kubernetes.io/os': 'linux' } } }],
    ['/api/v1/nodes/edge/status', { status: { conditions: [] } }],
    [`${NAMESPACE}/pods/mine/status`, { status: { phase: 'Running' } }],
  ];
  for (const [path, body] of fine) t.equal((await merge(path, body)).code, 200, path);
  const refusals: [string, object, string][] = [
    ['/api/v1/nodes/far', {}, 'nodes "far" is forbidden: node "edge" is not allowed to modify node "far"'],
    [
      '/api/v1/nodes/far',
      { metadata: { annotations: { [REBOOT_ANNOTATION]: '{}' } } },
      'nodes "far" is forbidden: node "edge" is not allowed to modify node "far"',
    ],
    [
      '/api/v1/nodes/far/status',
      {},
      'nodes "far" is forbidden: node "edge" is not allowed to modify node "far"',
    ],
    [
      '/api/v1/nodes/edge',
      { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } },
      'nodes "edge" is forbidden: node "edge" is not allowed to modify taints',
    ],
    [
      '/api/v1/nodes/edge',
      {
        metadata: {
          labels: { 'node-restriction.kubernetes.io/safe': 'yes', 'node-role.kubernetes.io/x': '' },
        },
      },
      'nodes "edge" is forbidden: is not allowed to modify labels: node-restriction.kubernetes.io/safe, node-role.kubernetes.io/x',
    ],
    [
      '/api/v1/nodes/edge',
      { metadata: { annotations: { [KEY_ANNOTATION]: 'x' } } },
      `nodes "edge" is forbidden: node "edge" is not allowed to modify annotations: ${KEY_ANNOTATION}`,
    ],
    [
      `${NAMESPACE}/pods/theirs/status`,
      { status: { phase: 'Failed' } },
      'pods "theirs" is forbidden: node "edge" can only update pod status for pods with spec.nodeName set to itself',
    ],
    [
      `${NAMESPACE}/pods/mine/status`,
      { metadata: { labels: { a: 'b' } } },
      'pods "mine" is forbidden: node "edge" cannot update labels through pod status',
    ],
  ];
  for (const [path, body, message] of refusals)
    t.match(await merge(path, body), { code: 403, body: { message } }, message);
  const deleted = await hub.call('DELETE', `${NAMESPACE}/pods/theirs`, { agent: edge });
  t.match(deleted, {
    code: 403,
    body: {
      message:
        'pods "theirs" is forbidden: node "edge" can only delete pods with spec.nodeName set to itself',
    },
  });
  const evicted = await hub.post(
    `${NAMESPACE}/pods/theirs/eviction`,
    { metadata: { name: 'theirs' } },
    { agent: edge },
  );
  t.match(evicted, {
    code: 403,
    body: {
      message: 'pods "theirs" is forbidden: node edge can only evict pods with spec.nodeName set to itself',
    },
  });
  t.match(await hub.post(`${NAMESPACE}/pods`, pod('new', 'edge', 'a'), { agent: edge }), {
    code: 403,
    body: {
      message:
        'pods "new" is forbidden: pod does not have "kubernetes.io/config.mirror" annotation, node "edge" can only create mirror pods',
    },
  });
});

t.test('leases and tokens', async (t) => {
  const lease = (name: string) => hub.post(LEASES, { metadata: { name }, spec: {} }, { agent: edge });
  t.equal((await lease('edge')).code, 201);
  t.match(await lease('far'), {
    code: 403,
    body: {
      message:
        'leases.coordination.k8s.io "far" is forbidden: can only access node lease with the same name as the requesting node',
    },
  });
  const token = (account: string, ref?: object) =>
    hub.post(
      `${NAMESPACE}/serviceaccounts/${account}/token`,
      { spec: { boundObjectRef: ref } },
      { agent: edge },
    );
  const reference = (name: string) => ({ apiVersion: 'v1', kind: 'Pod', name, uid: uids.get(name) });
  t.equal((await token('account-a', reference('mine'))).code, 201);
  t.equal((await token('account-b', reference('theirs'))).code, 403, 'of an account that it has no pod of');
  t.match(await token('account-a'), {
    code: 403,
    body: { message: 'serviceaccounts "account-a" is forbidden: node requested token not bound to a pod' },
  });
});

t.test('a device that lost its name is nobody', async (t) => {
  const pin = { metadata: { annotations: { [KEY_ANNOTATION]: 'another key' } } };
  t.equal((await hub.patch('/api/v1/nodes/edge', 'merge', pin)).code, 200);
  t.equal((await hub.get('/api/v1/nodes/edge', { agent: edge })).code, 401);
});
