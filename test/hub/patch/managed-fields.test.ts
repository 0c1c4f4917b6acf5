import { test } from 'tap';
import { decodeFields, pathsOf } from '../../../hub/patch/field-set.ts';
import {
  type ApplyResult,
  applyConfiguration,
  applyConflict,
  trackUpdate,
} from '../../../hub/patch/managed-fields.ts';
import type { KubeObject, ManagedFieldsEntry } from '../../../hub/resources/object.ts';
import { schemaOf } from '../../../hub/schema/schema.ts';
import { ensureSchema } from '../../../scripts/generate-schema.ts';

ensureSchema();
const schema = schemaOf('io.k8s.api.apps.v1.Deployment');
const apiVersion = 'apps/v1';
const T0 = '2026-01-01T00:00:00Z';
const T1 = '2026-01-01T00:01:00Z';

interface Parts {
  metadata?: object;
  spec?: object;
  status?: object;
}

function deployment({ metadata, ...parts }: Parts): KubeObject {
  return {
    apiVersion,
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'default', ...metadata },
    ...parts,
  };
}

/** An object with these containers. */
function pods(...containers: object[]): Parts {
  return { spec: { template: { spec: { containers } } } };
}

function create(manager: string, parts: Parts, time = T0): KubeObject {
  return update(undefined, manager, parts, time);
}

function update(
  live: KubeObject | undefined,
  manager: string,
  parts: Parts,
  time = T1,
  subresource?: string,
): KubeObject {
  const next = deployment(parts);
  const managedFields = trackUpdate({ schema, live, next, manager, apiVersion, time, subresource });
  return { ...next, metadata: { ...next.metadata, managedFields } };
}

interface How {
  force?: boolean;
  time?: string;
  subresource?: string;
  setDefaults?: (object: KubeObject) => void;
}

function tryApply(live: KubeObject | undefined, manager: string, parts: Parts, how: How = {}): ApplyResult {
  const { force = false, time = T1, ...rest } = how;
  return applyConfiguration({
    schema,
    live,
    applied: deployment(parts),
    manager,
    apiVersion,
    time,
    force,
    ...rest,
  });
}

function apply(live: KubeObject | undefined, manager: string, parts: Parts, how: How = {}): KubeObject {
  const { object, conflicts } = tryApply(live, manager, parts, how);
  if (conflicts) throw applyConflict(conflicts);
  return object;
}

/** `{ 'manager operation': [paths] }`; a subresource stands after a slash. */
function owners(object: KubeObject): Record<string, string[]> {
  return Object.fromEntries(
    (object.metadata.managedFields ?? []).map(({ manager, operation, subresource, fieldsV1 }) => [
      `${manager} ${operation}${subresource ? `/${subresource}` : ''}`,
      pathsOf(decodeFields(fieldsV1)),
    ]),
  );
}

const C = '.spec.template.spec.containers';

test('the creator owns what it sent, except what nobody owns', (t) => {
  const object = create('curl', {
    metadata: {
      uid: 'u',
      generation: 1,
      resourceVersion: '1',
      creationTimestamp: T0,
      labels: { app: 'web' },
    },
    ...pods({ name: 'a', ports: [{ containerPort: 80 }], args: ['x', 'y'] }),
    status: { replicas: 1 },
  });
  t.strictSame(owners(object), {
    'curl Update': [
      '.metadata.labels',
      '.metadata.labels.app',
      C,
      `${C}[name="a"]`,
      `${C}[name="a"].args`,
      `${C}[name="a"].name`,
      `${C}[name="a"].ports`,
      `${C}[name="a"].ports[containerPort=80,protocol="TCP"]`,
      `${C}[name="a"].ports[containerPort=80,protocol="TCP"].containerPort`,
    ],
  });
  t.match(object.metadata.managedFields, [
    { manager: 'curl', operation: 'Update', apiVersion, time: T0, fieldsType: 'FieldsV1' },
  ]);
  t.notOk('subresource' in (object.metadata.managedFields?.[0] ?? {}));
  t.end();
});

test('an update moves ownership with the values', (t) => {
  const base: Parts = { spec: { replicas: 1, paused: true } };
  const live = create('a', base);
  const cases: [
    what: string,
    live: KubeObject,
    manager: string,
    next: Parts,
    expected: object,
    subresource?: string,
  ][] = [
    [
      'a changed value belongs to the writer alone',
      live,
      'b',
      { spec: { replicas: 2, paused: true } },
      { 'a Update': ['.spec.paused'], 'b Update': ['.spec.replicas'] },
    ],
    [
      'a value that is sent again does not',
      live,
      'b',
      base,
      { 'a Update': ['.spec.paused', '.spec.replicas'] },
    ],
    [
      'a removed field belongs to nobody',
      live,
      'b',
      { spec: { replicas: 1 } },
      { 'a Update': ['.spec.replicas'] },
    ],
    ['a manager that owns nothing is gone', live, 'b', {}, {}],
    [
      'an Apply manager loses fields too',
      apply(undefined, 'x', base),
      'x',
      { spec: { replicas: 2, paused: true } },
      { 'x Apply': ['.spec.paused'], 'x Update': ['.spec.replicas'] },
    ],
    [
      'an atomic list is owned as one',
      create('a', pods({ name: 'c', args: ['1'] })),
      'b',
      pods({ name: 'c', args: ['1', '2'] }),
      { 'a Update': [C, `${C}[name="c"]`, `${C}[name="c"].name`], 'b Update': [`${C}[name="c"].args`] },
    ],
    [
      'a removed item takes its fields along',
      create('a', pods({ name: 'c' }, { name: 'd' })),
      'b',
      pods({ name: 'd' }),
      { 'a Update': [C, `${C}[name="d"]`, `${C}[name="d"].name`] },
    ],
    [
      'the order of items does not count',
      create('a', pods({ name: 'c' }, { name: 'd' })),
      'b',
      pods({ name: 'd' }, { name: 'c' }),
      { 'a Update': [C, `${C}[name="c"]`, `${C}[name="c"].name`, `${C}[name="d"]`, `${C}[name="d"].name`] },
    ],
    [
      'a status write owns only status',
      create('a', { spec: { replicas: 1 } }),
      'b',
      { spec: { replicas: 1 }, metadata: { labels: { x: 'y' } }, status: { replicas: 1 } },
      { 'a Update': ['.spec.replicas'], 'b Update/status': ['.status.replicas'] },
      'status',
    ],
    [
      'the main path and a subresource are different managers',
      create('a', { spec: { replicas: 1, paused: true } }),
      'a',
      { spec: { replicas: 3, paused: true } },
      { 'a Update': ['.spec.paused'], 'a Update/scale': ['.spec.replicas'] },
      'scale',
    ],
  ];
  for (const [what, before, manager, next, expected, subresource] of cases) {
    t.strictSame(owners(update(before, manager, next, T1, subresource)), expected, what);
  }
  t.end();
});

test('the time of an entry changes only with its fields', (t) => {
  const live = create('a', { spec: { replicas: 1 } });
  const timesOf = (object: KubeObject) => object.metadata.managedFields?.map(({ time }) => time);
  t.strictSame(timesOf(update(live, 'a', { spec: { replicas: 2 } })), [T0], 'same field, other value');
  t.strictSame(timesOf(update(live, 'a', { spec: { replicas: 1, paused: true } })), [T1], 'another field');
  const entries = live.metadata.managedFields;
  t.equal(
    trackUpdate({ schema, live, next: live, manager: 'b', apiVersion, time: T1 }),
    entries,
    'an update that changes nothing returns the entries themselves',
  );
  t.end();
});

test('updates of different versions are different entries, applies are not', (t) => {
  const live = create('a', { spec: { replicas: 1 } });
  const next = deployment({ spec: { replicas: 1, paused: true } });
  const newer = { schema, live, manager: 'a', apiVersion: 'apps/v2', time: T1 };
  t.match(trackUpdate({ ...newer, next }), [{ apiVersion: 'apps/v1' }, { apiVersion: 'apps/v2' }]);
  const applied = apply(undefined, 'a', { spec: { replicas: 1 } });
  const { object } = applyConfiguration({ ...newer, live: applied, applied: next, force: false });
  t.equal(object?.metadata.managedFields?.length, 1);
  t.equal(object?.metadata.managedFields?.[0]?.apiVersion, 'apps/v2');
  t.end();
});

test('entries are ordered by operation, time and name', (t) => {
  let object = create('z', { metadata: { labels: { a: '1' } } }, T1);
  object = update(object, 'y', { metadata: { labels: { a: '1', b: '2' } } }, T0);
  object = update(object, 'x', { metadata: { labels: { a: '1', b: '2', c: '3' } } }, T1);
  object = apply(object, 'w', { metadata: { labels: { d: '4' } } });
  object = apply(object, 'v', { metadata: { labels: { e: '5' } } }, { time: T0 });
  t.strictSame(Object.keys(owners(object)), ['v Apply', 'w Apply', 'y Update', 'x Update', 'z Update']);
  t.end();
});

test('clients may set and clear managedFields', (t) => {
  const live = create('a', { spec: { replicas: 1 } });
  const fieldsV1 = { 'f:spec': { 'f:replicas': {} } };
  const entry: ManagedFieldsEntry = {
    manager: 'm',
    operation: 'Apply',
    apiVersion,
    time: T0,
    fieldsType: 'FieldsV1',
    fieldsV1,
  };
  const cases: [what: string, sent: object[] | undefined, expected: object, subresource?: string][] = [
    ['sent entries replace the old ones', [entry], { 'm Apply': ['.spec.replicas'] }],
    ['an empty list clears', [], {}],
    ['a single empty entry clears', [{}], {}],
    ['nothing keeps the old ones', undefined, { 'a Update': ['.spec.replicas'] }],
    [
      'malformed fields keep the old ones',
      [{ ...entry, fieldsV1: { x: 1 } }],
      { 'a Update': ['.spec.replicas'] },
    ],
    [
      'an unknown operation keeps the old ones',
      [{ ...entry, operation: 'Guess' }],
      { 'a Update': ['.spec.replicas'] },
    ],
    ['subresources cannot set them', [entry], { 'a Update': ['.spec.replicas'] }, 'status'],
  ];
  for (const [what, managedFields, expected, subresource] of cases) {
    const metadata = managedFields ? { managedFields } : {};
    t.strictSame(
      owners(update(live, 'b', { metadata, spec: { replicas: 1 } }, T1, subresource)),
      expected,
      what,
    );
  }
  t.strictSame(
    owners(update(live, 'b', { metadata: { managedFields: [{}] }, spec: { replicas: 2 } })),
    { 'b Update': ['.spec.replicas'] },
    'what changes with the clearing is tracked',
  );
  t.end();
});

test('the oldest of more than ten updaters are forgotten', (t) => {
  let object = create('m0', { metadata: { labels: { l0: '' } } });
  const labels: Record<string, string> = { l0: '' };
  for (let index = 1; index <= 12; index++) {
    labels[`l${index}`] = '';
    object = update(
      object,
      `m${index}`,
      { metadata: { labels: { ...labels } } },
      `2026-01-01T00:00:${index + 10}Z`,
    );
  }
  const all = owners(object);
  t.equal(Object.keys(all).length, 10);
  t.strictSame(all['ancient-changes Update'], [
    '.metadata.labels',
    '.metadata.labels.l0',
    '.metadata.labels.l1',
    '.metadata.labels.l2',
    '.metadata.labels.l3',
  ]);
  t.strictSame(all['m12 Update'], ['.metadata.labels.l12']);
  t.end();
});

test('apply merges, removes what is no longer sent, and shares equal values', (t) => {
  const twoAppliers = apply(apply(undefined, 'a', { spec: { replicas: 1, paused: true } }), 'b', {
    spec: { replicas: 1 },
  });
  const cases: [
    what: string,
    live: KubeObject | undefined,
    manager: string,
    applied: Parts,
    expected: Parts,
    owned: object,
  ][] = [
    [
      'a missing object is created',
      undefined,
      'a',
      { metadata: { labels: { x: '1' } }, spec: { replicas: 1 } },
      { metadata: { labels: { x: '1' } }, spec: { replicas: 1 } },
      { 'a Apply': ['.metadata.labels.x', '.spec.replicas'] },
    ],
    [
      'fields of others stay',
      create('u', { spec: { replicas: 1 } }),
      'a',
      { spec: { paused: true } },
      { spec: { replicas: 1, paused: true } },
      { 'a Apply': ['.spec.paused'], 'u Update': ['.spec.replicas'] },
    ],
    [
      'equal values are shared',
      create('u', { spec: { replicas: 1 } }),
      'a',
      { spec: { replicas: 1 } },
      { spec: { replicas: 1 } },
      { 'a Apply': ['.spec.replicas'], 'u Update': ['.spec.replicas'] },
    ],
    [
      'a field that is no longer sent is removed',
      apply(undefined, 'a', { spec: { replicas: 1, paused: true } }),
      'a',
      { spec: { replicas: 2 } },
      { spec: { replicas: 2 } },
      { 'a Apply': ['.spec.replicas'] },
    ],
    [
      'unless somebody else owns it',
      twoAppliers,
      'a',
      { spec: { paused: true } },
      { spec: { replicas: 1, paused: true } },
      { 'a Apply': ['.spec.paused'], 'b Apply': ['.spec.replicas'] },
    ],
    [
      'what becomes empty is removed too',
      apply(undefined, 'a', {
        metadata: { labels: { x: '1' } },
        spec: { strategy: { rollingUpdate: { maxSurge: 1 } }, replicas: 1 },
      }),
      'a',
      { spec: { replicas: 1 } },
      { spec: { replicas: 1 } },
      { 'a Apply': ['.spec.replicas'] },
    ],
    [
      'an empty struct that is sent stays',
      apply(undefined, 'a', { spec: { strategy: { rollingUpdate: { maxSurge: 1 } } } }),
      'a',
      { spec: { strategy: { rollingUpdate: {} } } },
      { spec: { strategy: { rollingUpdate: {} } } },
      { 'a Apply': ['.spec.strategy.rollingUpdate'] },
    ],
    [
      'items of lists merge by key, in the order that was sent',
      create('u', pods({ name: 'x' }, { name: 'b', image: '1' })),
      'a',
      pods({ name: 'c' }, { name: 'b', tty: true }),
      pods({ name: 'x' }, { name: 'c' }, { name: 'b', image: '1', tty: true }),
      {
        'a Apply': [
          `${C}[name="b"]`,
          `${C}[name="b"].name`,
          `${C}[name="b"].tty`,
          `${C}[name="c"]`,
          `${C}[name="c"].name`,
        ],
        'u Update': [
          C,
          `${C}[name="b"]`,
          `${C}[name="b"].image`,
          `${C}[name="b"].name`,
          `${C}[name="x"]`,
          `${C}[name="x"].name`,
        ],
      },
    ],
    [
      'items that were not sent keep their places',
      create('u', pods({ name: 'a' }, { name: 'x' }, { name: 'b' }, { name: 'y' })),
      'a',
      pods({ name: 'a' }, { name: 'b' }),
      pods({ name: 'a' }, { name: 'x' }, { name: 'b' }, { name: 'y' }),
      {
        'a Apply': [`${C}[name="a"]`, `${C}[name="a"].name`, `${C}[name="b"]`, `${C}[name="b"].name`],
        'u Update': [
          C,
          ...['a', 'b', 'x', 'y'].flatMap((n) => [`${C}[name="${n}"]`, `${C}[name="${n}"].name`]),
        ],
      },
    ],
    [
      'a key that was left out has its default',
      apply(
        undefined,
        'a',
        pods({
          name: 'c',
          ports: [
            { containerPort: 80, protocol: 'TCP' },
            { containerPort: 80, protocol: 'UDP' },
          ],
        }),
      ),
      'a',
      pods({ name: 'c', ports: [{ containerPort: 80 }] }),
      pods({ name: 'c', ports: [{ containerPort: 80, protocol: 'TCP' }] }),
      {
        'a Apply': [
          `${C}[name="c"]`,
          `${C}[name="c"].name`,
          `${C}[name="c"].ports[containerPort=80,protocol="TCP"]`,
          `${C}[name="c"].ports[containerPort=80,protocol="TCP"].containerPort`,
        ],
      },
    ],
    [
      'an item that is no longer sent goes with all its fields, also those that another manager set',
      update(
        apply(undefined, 'a', pods({ name: 'c', image: '1' }, { name: 'd' })),
        'u',
        pods({ name: 'c', image: '2', tty: true }, { name: 'd' }),
      ),
      'a',
      pods({ name: 'd' }),
      pods({ name: 'd' }),
      { 'a Apply': [`${C}[name="d"]`, `${C}[name="d"].name`] },
    ],
    [
      'an item that somebody else keeps loses only the fields of this manager, never its key',
      apply(
        apply(undefined, 'a', pods({ name: 'c', image: '1', tty: true })),
        'b',
        pods({ name: 'c', image: '1' }),
      ),
      'a',
      { spec: { replicas: 1 } },
      { spec: { replicas: 1, template: { spec: { containers: [{ name: 'c', image: '1' }] } } } },
      {
        'a Apply': ['.spec.replicas'],
        'b Apply': [`${C}[name="c"]`, `${C}[name="c"].image`, `${C}[name="c"].name`],
      },
    ],
    [
      'sets merge by value',
      create('u', { metadata: { finalizers: ['x', 'y'] } }),
      'a',
      { metadata: { finalizers: ['y', 'z'] } },
      { metadata: { finalizers: ['x', 'y', 'z'] } },
      {
        'a Apply': ['.metadata.finalizers[="y"]', '.metadata.finalizers[="z"]'],
        'u Update': ['.metadata.finalizers', '.metadata.finalizers[="x"]', '.metadata.finalizers[="y"]'],
      },
    ],
    [
      'atomic structs are replaced',
      apply(undefined, 'a', { spec: { selector: { matchLabels: { a: '1' } } } }),
      'a',
      { spec: { selector: { matchLabels: { b: '1' } } } },
      { spec: { selector: { matchLabels: { b: '1' } } } },
      { 'a Apply': ['.spec.selector'] },
    ],
    [
      'status does not count on the main path',
      apply(undefined, 'a', { spec: { replicas: 1 } }),
      'a',
      { spec: { replicas: 2 }, status: { replicas: 5 } },
      { spec: { replicas: 2 } },
      { 'a Apply': ['.spec.replicas'] },
    ],
  ];
  for (const [what, live, manager, applied, expected, owned] of cases) {
    const before = structuredClone([live, applied]);
    const object = apply(live, manager, applied);
    const { managedFields: _, ...metadata } = object.metadata;
    t.strictSame({ ...object, metadata }, deployment(expected), what);
    t.strictSame(owners(object), owned);
    t.strictSame([live, applied], before, 'the arguments stay as they were');
  }
  t.end();
});

test('an apply to status owns only status', (t) => {
  const live = create('u', { spec: { replicas: 1 } });
  const object = apply(
    live,
    'a',
    { spec: { replicas: 9 }, status: { replicas: 1 } },
    { subresource: 'status' },
  );
  t.strictSame([object['spec'], object['status']], [{ replicas: 1 }, { replicas: 1 }]);
  t.strictSame(owners(object), { 'a Apply/status': ['.status.replicas'], 'u Update': ['.spec.replicas'] });
  t.end();
});

test('objects that nobody owns yet belong to a manager of their own', (t) => {
  const live = deployment({ spec: { replicas: 1 } });
  t.strictSame(owners(apply(live, 'a', { spec: { paused: true } })), {
    'a Apply': ['.spec.paused'],
    'before-first-apply Update': ['.spec.replicas'],
  });
  t.match(tryApply(live, 'a', { spec: { replicas: 2 } }).conflicts, [{ path: '.spec.replicas' }]);
  t.end();
});

test('defaults are filled in, owned by nobody, and not a conflict', (t) => {
  const setDefaults = (object: KubeObject) => {
    object['spec'] = { replicas: 1, ...(object['spec'] as object) };
  };
  const object = apply(undefined, 'a', { spec: { paused: true } }, { setDefaults });
  t.strictSame(object['spec'], { replicas: 1, paused: true });
  t.strictSame(owners(object), { 'a Apply': ['.spec.paused'] });
  const next = apply(object, 'b', { spec: { replicas: 3 } }, { setDefaults });
  t.strictSame(next['spec'], { replicas: 3, paused: true });
  const back = apply(next, 'b', { spec: {} }, { setDefaults });
  t.strictSame(back['spec'], { replicas: 1, paused: true }, 'a removed field falls back to its default');
  t.equal(
    apply(object, 'a', { spec: { paused: true } }, { setDefaults, time: '2027-01-01T00:00:00Z' }),
    object,
  );
  t.end();
});

test('an apply that changes nothing returns the live object', (t) => {
  const config = { metadata: { labels: { a: 'b' } }, ...pods({ name: 'c', ports: [{ containerPort: 80 }] }) };
  const live = apply(undefined, 'a', config, { time: T0 });
  t.equal(apply(live, 'a', config, { time: T1 }), live);
  t.equal(apply(live, 'a', config, { time: T1, force: true }), live);
  t.not(apply(live, 'b', config, { time: T1 }), live, 'another manager is a change');
  const changed = apply(live, 'a', { ...config, metadata: { labels: { a: 'c' } } }, { time: T1 });
  t.equal(changed.metadata.managedFields?.[0]?.time, T1, 'a new value refreshes the time');
  t.end();
});

test('a value of another manager is a conflict unless it is forced', (t) => {
  const updated = create('u', { spec: { replicas: 1, ...pods({ name: 'web', image: '1' }).spec } });
  const scaled = update(
    apply(undefined, 'x', { spec: { replicas: 1 } }),
    'hpa',
    { spec: { replicas: 5 } },
    T1,
    'scale',
  );
  const cases: [what: string, live: KubeObject, applied: Parts, message: string, fields: string[]][] = [
    [
      'an Apply manager is named alone',
      apply(undefined, 'x', { spec: { replicas: 1 } }),
      { spec: { replicas: 2 } },
      'Apply failed with 1 conflict: conflict with "x": .spec.replicas',
      ['.spec.replicas'],
    ],
    [
      'an Update manager with its version and time',
      create('u', { spec: { replicas: 1 } }),
      { spec: { replicas: 2 } },
      `Apply failed with 1 conflict: conflict with "u" using apps/v1 at ${T0}: .spec.replicas`,
      ['.spec.replicas'],
    ],
    [
      'with its subresource',
      scaled,
      { spec: { replicas: 2 } },
      `Apply failed with 1 conflict: conflict with "hpa" with subresource "scale" using apps/v1 at ${T1}: .spec.replicas`,
      ['.spec.replicas'],
    ],
    [
      'several conflicts are listed by manager',
      apply(updated, 'x', { spec: { replicas: 1 } }),
      { spec: { replicas: 2, ...pods({ name: 'web', image: '2' }).spec } },
      [
        'Apply failed with 3 conflicts: conflicts with "u" using apps/v1 at 2026-01-01T00:00:00Z:',
        '- .spec.replicas',
        '- .spec.template.spec.containers[name="web"].image',
        'conflicts with "x":',
        '- .spec.replicas',
      ].join('\n'),
      ['.spec.replicas', '.spec.replicas', '.spec.template.spec.containers[name="web"].image'],
    ],
  ];
  for (const [what, live, applied, message, fields] of cases) {
    const { conflicts = [] } = tryApply(live, 'a', applied);
    const { code, reason, details, ...error } = applyConflict(conflicts);
    t.equal(applyConflict(conflicts).message, message, what);
    t.strictSame([code, reason, error.name], [409, 'Conflict', 'ApiError']);
    t.strictSame(details?.causes?.map(({ field }) => field).sort(), fields);
    t.match(details?.causes, [{ reason: 'FieldManagerConflict', message: /^conflict with "/ }]);
  }
  const forced = apply(
    create('u', { spec: { replicas: 1, paused: true } }),
    'a',
    { spec: { replicas: 2 } },
    { force: true },
  );
  t.strictSame(forced['spec'], { replicas: 2, paused: true });
  t.strictSame(
    owners(forced),
    { 'a Apply': ['.spec.replicas'], 'u Update': ['.spec.paused'] },
    'forced fields change hands',
  );
  const own = update(apply(undefined, 'a', { spec: { replicas: 1 } }), 'a', { spec: { replicas: 2 } });
  t.equal(
    tryApply(own, 'a', { spec: { replicas: 1 } }).conflicts?.length,
    1,
    'also between the ways of writing of one manager',
  );
  t.end();
});

test('configurations that cannot be applied are bad requests', (t) => {
  const cases: [what: string, applied: Parts, message: RegExp][] = [
    ['managedFields', { metadata: { managedFields: [] } }, /^metadata.managedFields must be nil$/],
    ['an item without its key', pods({ image: 'x' }), /containers\[0\].*omits key field "name"/],
    [
      'two items with one key',
      pods({ name: 'a' }, { name: 'a' }),
      /containers: duplicate entries for key {"name":"a"}/,
    ],
    [
      'two equal items in a set',
      { metadata: { finalizers: ['a', 'a'] } },
      /finalizers: duplicate entries for key "a"/,
    ],
  ];
  for (const [what, applied, message] of cases) {
    t.throws(() => apply(undefined, 'a', applied), { code: 400, message }, what);
  }
  t.end();
});
