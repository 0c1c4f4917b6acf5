import t from 'tap';
import type { ResourceDefinition } from '../../../hub/resources/definition.ts';
import type { KubeObject } from '../../../hub/resources/object.ts';
import * as table from '../../../hub/resources/table-of-resources.ts';

type Loose = Record<string, unknown>;
const NOW = Date.parse('2026-01-01T01:00:00Z');

function made({ kind, namespaced }: ResourceDefinition, parts: Loose): KubeObject {
  const { metadata = {}, ...rest } = structuredClone(parts);
  return {
    apiVersion: 'x',
    kind,
    metadata: {
      name: 'a',
      ...(namespaced && { namespace: 'n' }),
      creationTimestamp: '2026-01-01T00:00:00Z',
      ...(metadata as Loose),
    },
    ...rest,
  };
}

function defaulted(definition: ResourceDefinition, parts: Loose): KubeObject {
  const object = made(definition, parts);
  definition.setDefaults?.(object);
  const once = structuredClone(object);
  definition.setDefaults?.(object);
  t.same(object, once, `${definition.kind}: defaults of defaults are the same`);
  return object;
}

const errorsOf = (definition: ResourceDefinition, parts: Loose, old?: Loose) =>
  (definition.validate?.(defaulted(definition, parts), old && defaulted(definition, old)) ?? []).map(
    ({ field, message }) => `${field}: ${message}`,
  );

function row(definition: ResourceDefinition, parts: Loose): unknown[] {
  const object = defaulted(definition, parts);
  return definition.columns.map(({ cell }) => cell(object, NOW));
}

const template = {
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'c', image: 'i:1' }] },
};
const selector = { matchLabels: { app: 'web' } };
const workload = { selector, template };

t.test('the table of resources', async (t) => {
  t.equal(table.resourceByPlural(table.resources, 'apps', 'deployments'), table.deployments);
  t.equal(table.resourceByPlural(table.resources, '', 'deployments'), undefined);
  t.equal(table.resourceByKind(table.resources, '', 'Pod'), table.pods);
  for (const { kind, columns, schema } of table.resources) {
    const name = typeof schema === 'string' ? schema : schema.name;
    t.ok(name?.endsWith(`.${kind}`), `${kind} has its schema`);
    t.equal(
      columns.filter(({ format }) => format === 'name').length,
      1,
      `${kind} has one column for the name`,
    );
  }
});

t.test("columns are Kubernetes' own", async (t) => {
  const names = (definition: ResourceDefinition) =>
    definition.columns
      .map(({ name, priority, type }) => `${name}${priority ? '*' : ''}${type === 'integer' ? '#' : ''}`)
      .join(', ');
  const wide = 'Containers*, Images*, Selector*';
  t.equal(
    names(table.pods),
    'Name, Ready, Status, Restarts, Age, IP*, Node*, Nominated Node*, Readiness Gates*',
  );
  t.equal(names(table.deployments), `Name, Ready, Up-to-date, Available, Age, ${wide}`);
  t.equal(names(table.replicaSets), `Name, Desired#, Current#, Ready#, Age, ${wide}`);
  t.equal(
    names(table.daemonSets),
    `Name, Desired#, Current#, Ready#, Up-to-date#, Available#, Node Selector, Age, ${wide}`,
  );
  t.equal(
    names(table.nodes),
    'Name, Status, Roles, Age, Version, Internal-IP*, External-IP*, OS-Image*, Kernel-Version*, Container-Runtime*',
  );
  t.equal(names(table.namespaces), 'Name, Status, Age');
  t.equal(
    names(table.events),
    'Last Seen, Type, Reason, Object, Subobject*, Source*, Message, First Seen*, Count*, Name*',
  );
  t.equal(names(table.secrets), 'Name, Type, Data, Age');
  t.equal(names(table.configMaps), 'Name, Data, Age');
  t.equal(names(table.serviceAccounts), 'Name, Age');
  t.equal(names(table.leases), 'Name, Holder, Age');
  t.equal(names(table.controllerRevisions), 'Name, Controller, Revision, Age');
});

t.test('cells', async (t) => {
  const status = { replicas: 3, readyReplicas: 2, updatedReplicas: 1, availableReplicas: 2 };
  t.same(row(table.deployments, { spec: { ...workload, replicas: 3 }, status }), [
    'a',
    '2/3',
    '1',
    '2',
    '60m',
    'c',
    'i:1',
    'app=web',
  ]);
  t.same(row(table.replicaSets, { spec: workload, status }), ['a', 1, 3, 2, '60m', 'c', 'i:1', 'app=web']);
  const daemons = {
    desiredNumberScheduled: 5,
    currentNumberScheduled: 4,
    numberReady: 3,
    updatedNumberScheduled: 2,
    numberAvailable: 1,
  };
  t.same(row(table.daemonSets, { spec: workload, status: daemons }), [
    'a',
    5,
    4,
    3,
    2,
    1,
    '<none>',
    '60m',
    'c',
    'i:1',
    'app=web',
  ]);
  t.same(row(table.namespaces, { status: { phase: 'Active' } }), ['a', 'Active', '60m']);
  t.same(row(table.namespaces, { metadata: { deletionTimestamp: 'x' } }), ['a', 'Terminating', '60m']);
  t.same(row(table.secrets, { data: { a: '' }, stringData: { b: 'x' } }), ['a', 'Opaque', '2', '60m']);
  t.same(row(table.configMaps, { data: { a: '' }, binaryData: { b: '' } }), ['a', '2', '60m']);
  t.same(row(table.leases, { spec: { holderIdentity: 'me' } }), ['a', 'me', '60m']);
  const ownerReferences = [
    { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'd', uid: 'u', controller: true },
  ];
  t.same(row(table.controllerRevisions, { metadata: { ownerReferences }, data: {}, revision: 2 }), [
    'a',
    'daemonset.apps/d',
    '2',
    '60m',
  ]);
});

t.test('cells of a node', async (t) => {
  const node = {
    metadata: { labels: { 'node-role.kubernetes.io/edge': '', 'kubernetes.io/role': 'b' } },
    spec: { unschedulable: true },
    status: {
      conditions: [{ type: 'Ready', status: 'True' }],
      addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
      nodeInfo: {
        kubeletVersion: 'v1',
        osImage: 'Debian',
        kernelVersion: '6.1',
        architecture: 'arm64',
        containerRuntimeVersion: 'docker://27',
      },
    },
  };
  t.same(row(table.nodes, node), [
    'a',
    'Ready,SchedulingDisabled',
    'b,edge',
    '60m',
    'v1',
    '10.0.0.1',
    '<none>',
    'Debian',
    '6.1 (arm64)',
    'docker://27',
  ]);
  t.same(row(table.nodes, {}).slice(1, 3), ['Unknown', '<none>']);
  t.equal(
    row(table.nodes, { status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } })[1],
    'NotReady',
  );
});

t.test('cells of an event', async (t) => {
  const event = {
    involvedObject: { kind: 'Pod', name: 'p', namespace: 'n', fieldPath: 'spec' },
    type: 'Warning',
    reason: 'Failed',
    message: 'it failed\n',
    source: { component: 'agent', host: 'node-1' },
    firstTimestamp: '2026-01-01T00:30:00Z',
    lastTimestamp: '2026-01-01T00:59:00Z',
    count: 4,
  };
  t.same(row(table.events, event), [
    '60s',
    'Warning',
    'Failed',
    'pod/p',
    'spec',
    'agent, node-1',
    'it failed',
    '30m',
    '4',
    'a',
  ]);
  const series = {
    involvedObject: { kind: 'Node', name: 'x', namespace: 'n' },
    eventTime: '2026-01-01T00:00:00Z',
    reportingComponent: 'c',
  };
  t.same(row(table.events, series), ['60m', '', '', 'node/x', '', 'c', '', '60m', '1', 'a']);
});

t.test('defaults of workloads', async (t) => {
  t.match(defaulted(table.deployments, { spec: workload }).spec, {
    replicas: 1,
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
    template: { spec: { restartPolicy: 'Always' } },
  });
  t.equal(
    (defaulted(table.deployments, { spec: { ...workload, replicas: 0 } }).spec as { replicas: number })
      .replicas,
    0,
  );
  t.match(defaulted(table.daemonSets, { spec: workload }).spec, {
    revisionHistoryLimit: 10,
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
  });
});

t.test('workloads that are wrong', async (t) => {
  for (const definition of [table.deployments, table.replicaSets, table.daemonSets]) {
    const errors = (spec: Loose, old?: Loose) => errorsOf(definition, { spec }, old && { spec: old });
    const kind = definition.kind;
    t.same(errors(workload), [], kind);
    t.same(errors({ template }), ['spec.selector: Required value'], kind);
    t.match(
      errors({ ...workload, selector: { matchLabels: { app: 'other' } } }),
      [
        /^spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`$/,
      ],
      kind,
    );
    t.same(
      errors({ selector, template: { ...template, spec: { containers: [{ name: 'c' }] } } }),
      ['spec.template.spec.containers[0].image: Required value'],
      kind,
    );
    t.same(
      errors({ selector, template: { ...template, spec: { ...template.spec, restartPolicy: 'Never' } } }),
      ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
      kind,
    );
    t.match(errors({ selector: {}, template }), [/^spec.selector: Invalid value: {}: empty selector/], kind);
    const other = {
      selector: { matchLabels: { app: 'x' } },
      template: { ...template, metadata: { labels: { app: 'x' } } },
    };
    t.match(errors(other, workload), [/^spec.selector: Invalid value: .*: field is immutable$/], kind);
  }
});

t.test('strategies that are wrong', async (t) => {
  const deployment = (spec: Loose) => errorsOf(table.deployments, { spec: { ...workload, ...spec } });
  const daemonSet = (rollingUpdate: Loose) =>
    errorsOf(table.daemonSets, {
      spec: { ...workload, updateStrategy: { type: 'RollingUpdate', rollingUpdate } },
    });
  t.same(deployment({ replicas: -1 }), [
    'spec.replicas: Invalid value: -1: must be greater than or equal to 0',
  ]);
  t.same(deployment({ minReadySeconds: 600 }), [
    'spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds',
  ]);
  t.match(deployment({ strategy: { type: 'Recreate', rollingUpdate: {} } }), [
    /^spec.strategy.rollingUpdate: Forbidden/,
  ]);
  t.same(deployment({ strategy: { type: 'Recreate' } }), []);
  t.match(deployment({ strategy: { type: 'x' } }), [/^spec.strategy.type: Unsupported value: "x"/]);
  t.match(deployment({ strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: '0%' } } }), [
    /may not be 0 when `maxSurge` is 0$/,
  ]);
  t.match(deployment({ strategy: { rollingUpdate: { maxSurge: 'many' } } }), [
    /^spec.strategy.rollingUpdate.maxSurge: Invalid value: "many"/,
  ]);
  t.match(daemonSet({ maxUnavailable: 0 }), [/cannot be 0 when maxSurge is 0$/]);
  t.match(daemonSet({ maxSurge: 1 }), [/may not be set when maxUnavailable is non-zero$/]);
  t.same(daemonSet({ maxSurge: 1, maxUnavailable: 0 }), []);
});

t.test('an annotation of a Deployment is a new generation', async (t) => {
  const before = made(table.deployments, { spec: workload });
  t.equal(table.deployments.bumpsGeneration?.(before, structuredClone(before)), false);
  t.equal(
    table.deployments.bumpsGeneration?.(
      made(table.deployments, { spec: workload, metadata: { annotations: { a: 'b' } } }),
      before,
    ),
    true,
  );
  const numbered = { metadata: { annotations: { 'deployment.kubernetes.io/revision': '1' } } };
  t.equal(
    table.deployments.bumpsGeneration?.(made(table.deployments, { spec: workload, ...numbered }), before),
    false,
    "not the controller's own",
  );
});

t.test('scale', async (t) => {
  const before = made(table.deployments, { spec: { ...workload, replicas: 3 }, status: { replicas: 2 } });
  const { scale } = table.deployments;
  if (!scale) throw new Error('a Deployment scales');
  t.equal(scale.replicas(before), 3);
  t.equal(scale.statusReplicas(before), 2);
  t.equal(scale.selector(before), 'app=web');
  t.equal((scale.withReplicas(before, 7).spec as { replicas: number }).replicas, 7);
  t.equal((before.spec as { replicas: number }).replicas, 3, 'the argument stays as it was');
});

t.test('secrets and config maps', async (t) => {
  const secret = (parts: Loose, old?: Loose) => errorsOf(table.secrets, parts, old);
  const stored = defaulted(table.secrets, { stringData: { a: 'ä' }, data: { a: 'eA==', b: 'eA==' } });
  t.match(stored, { type: 'Opaque', data: { a: Buffer.from('ä').toString('base64'), b: 'eA==' } });
  t.equal(stored['stringData'], undefined, 'text is written only');
  t.match(secret({ data: { a: 'x' } }), [/^data\[a\]: .*must be base64$/]);
  t.match(secret({ data: { 'a/b': '' } }), [/^data\[a\/b\]: Invalid value: "a\/b": a valid config key/]);
  t.same(secret({ type: 'kubernetes.io/tls', data: { 'tls.crt': '' } }), ['data[tls.key]: Required value']);
  t.same(secret({ type: 'constructor' }), [], 'a type like any other');
  t.match(secret({ type: 'kubernetes.io/dockerconfigjson', stringData: { '.dockerconfigjson': '{' } }), [
    /^data\[.dockerconfigjson\]: Invalid/,
  ]);
  t.same(secret({ type: 'b' }, { type: 'a' }), ['type: Invalid value: "b": field is immutable']);
  const sealed = { immutable: true, data: { a: 'eA==' } };
  t.same(secret(sealed, sealed), []);
  t.match(secret({ immutable: true, data: {} }, sealed), [/^data: Forbidden: field is immutable/]);
  t.match(secret({ data: { a: 'eA==' } }, sealed), [/^immutable: Forbidden/]);
  t.match(errorsOf(table.configMaps, { data: { a: 'x'.repeat(1024 * 1024 + 1) } }), [/^data: Too long/]);
  t.match(errorsOf(table.configMaps, { data: { a: '' }, binaryData: { a: '' } }), [
    /duplicate of key present in data$/,
  ]);
});

t.test('other rules', async (t) => {
  t.same(errorsOf(table.events, { involvedObject: { namespace: 'n' } }), []);
  t.match(errorsOf(table.events, { involvedObject: { namespace: 'm' } }), [
    /does not match event.namespace$/,
  ]);
  t.same(
    errorsOf(table.events, { metadata: { namespace: 'default' }, involvedObject: { kind: 'Node' } }),
    [],
  );
  t.match(errorsOf(table.leases, { spec: { leaseDurationSeconds: 0 } }), [/must be greater than 0$/]);
  t.match(errorsOf(table.controllerRevisions, { revision: 1 }), ['data: Required value: data is mandatory']);
  t.match(errorsOf(table.controllerRevisions, { data: { a: 1 }, revision: 1 }, { data: {}, revision: 1 }), [
    /^data: .*immutable$/,
  ]);
  t.match(errorsOf(table.nodes, { spec: { taints: [{ key: 'a', effect: 'x' }] } }), [
    /^spec.taints\[0\].effect: Unsupported/,
  ]);
  t.match(
    errorsOf(table.nodes, {
      spec: {
        taints: [
          { key: 'a', effect: 'NoSchedule' },
          { key: 'a', effect: 'NoSchedule' },
        ],
      },
    }),
    [/^spec.taints\[1\]: Duplicate/],
  );
});

t.test('a namespace is kept until its contents are gone', async (t) => {
  const { namespaces } = table;
  const fresh = defaulted(namespaces, {});
  namespaces.prepareForCreate?.(fresh);
  t.match(fresh, {
    metadata: { labels: { 'kubernetes.io/metadata.name': 'a' } },
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  });
  t.equal(namespaces.holdsRemoval?.(fresh), true);
  const next = made(namespaces, { spec: {} });
  namespaces.prepareForUpdate?.(next, fresh);
  t.same(next.spec, { finalizers: ['kubernetes'] }, 'a client cannot take it away');
  const ending = { ...fresh, metadata: { ...fresh.metadata, deletionTimestamp: 'x' } };
  const ended = made(namespaces, { spec: { finalizers: [] } });
  namespaces.prepareForUpdate?.(ended, ending);
  t.equal(namespaces.holdsRemoval?.(ended), false, 'but when it ends');
});

t.test('fields to select by', async (t) => {
  const value = (definition: ResourceDefinition, field: string, parts: Loose) =>
    definition.fieldSelectors?.[field]?.(made(definition, parts));
  t.equal(value(table.events, 'involvedObject.name', { involvedObject: { name: 'x' } }), 'x');
  t.equal(value(table.events, 'source', { involvedObject: {}, reportingComponent: 'c' }), 'c');
  t.equal(value(table.nodes, 'spec.unschedulable', { spec: {} }), 'false');
  t.equal(value(table.secrets, 'type', { type: 'Opaque' }), 'Opaque');
  t.equal(value(table.namespaces, 'status.phase', { status: { phase: 'Active' } }), 'Active');
  t.equal(value(table.replicaSets, 'status.replicas', { status: { replicas: 2 } }), '2');
});
