import { test } from 'tap';
import { applyStrategicMergePatch } from '../../../hub/patch/strategic-merge-patch.ts';
import { schemaOf } from '../../../hub/schema/schema.ts';
import { ensureSchema } from '../../../scripts/generate-schema.ts';

ensureSchema();
const POD = schemaOf('io.k8s.api.core.v1.Pod');
const DEPLOYMENT = schemaOf('io.k8s.api.apps.v1.Deployment');
const BUDGET = schemaOf('io.k8s.api.policy.v1.PodDisruptionBudget');

type Case = [
  what: string,
  original: { [key: string]: unknown },
  patch: { [key: string]: unknown },
  expected: object,
];

const spec = (...containers: object[]) => ({ spec: { containers } });
const meta = (metadata: object) => ({ metadata });

test('a strategic merge patch merges as the schema says', (t) => {
  const cases: Case[] = [
    [
      'objects merge',
      meta({ name: 'a' }),
      meta({ labels: { x: '1' } }),
      meta({ name: 'a', labels: { x: '1' } }),
    ],
    [
      'null removes a key',
      meta({ labels: { x: '1', y: '2' } }),
      meta({ labels: { x: null } }),
      meta({ labels: { y: '2' } }),
    ],
    ['null for a missing key does nothing', meta({}), meta({ labels: null }), meta({})],
    [
      'nulls in a new object are dropped',
      {},
      meta({ labels: { x: null, y: '1' } }),
      meta({ labels: { y: '1' } }),
    ],
    [
      'items are found by their merge key',
      spec({ name: 'a', image: '1' }, { name: 'b', image: '1' }),
      spec({ name: 'b', image: '2' }),
      spec({ name: 'a', image: '1' }, { name: 'b', image: '2' }),
    ],
    [
      'new items come last',
      spec({ name: 'a' }),
      spec({ name: 'c', image: 'c' }, { name: 'a', image: 'a' }),
      spec({ name: 'a', image: 'a' }, { name: 'c', image: 'c' }),
    ],
    [
      'lists in items merge by their own keys',
      spec({ name: 'a', env: [{ name: 'X', value: '1' }], ports: [{ containerPort: 80, protocol: 'TCP' }] }),
      spec({ name: 'a', env: [{ name: 'Y', value: '2' }], ports: [{ containerPort: 80, name: 'web' }] }),
      spec({
        name: 'a',
        env: [
          { name: 'X', value: '1' },
          { name: 'Y', value: '2' },
        ],
        ports: [{ containerPort: 80, protocol: 'TCP', name: 'web' }],
      }),
    ],
    [
      'atomic lists are replaced',
      spec({ name: 'a', args: ['1', '2'] }),
      spec({ name: 'a', args: ['3'] }),
      spec({ name: 'a', args: ['3'] }),
    ],
    [
      'tolerations are replaced',
      { spec: { tolerations: [{ key: 'a' }] } },
      { spec: { tolerations: [{ key: 'b' }] } },
      { spec: { tolerations: [{ key: 'b' }] } },
    ],
    [
      'an atomic map merges, since that is for apply only',
      { spec: { nodeSelector: { a: '1' } } },
      { spec: { nodeSelector: { b: '2' } } },
      { spec: { nodeSelector: { a: '1', b: '2' } } },
    ],
    [
      'sets of strings are united',
      meta({ finalizers: ['a', 'b'] }),
      meta({ finalizers: ['b', 'c'] }),
      meta({ finalizers: ['a', 'b', 'c'] }),
    ],
    [
      '$deleteFromPrimitiveList removes strings',
      meta({ finalizers: ['a', 'b'] }),
      meta({ '$deleteFromPrimitiveList/finalizers': ['a'], finalizers: ['c'] }),
      meta({ finalizers: ['b', 'c'] }),
    ],
    [
      '$deleteFromPrimitiveList works alone',
      meta({ finalizers: ['a', 'b'] }),
      meta({ '$deleteFromPrimitiveList/finalizers': ['a'] }),
      meta({ finalizers: ['b'] }),
    ],
    [
      '$deleteFromPrimitiveList of a missing list makes none',
      meta({}),
      meta({ '$deleteFromPrimitiveList/finalizers': ['a'] }),
      meta({}),
    ],
    [
      '$patch: delete removes an item',
      spec({ name: 'a' }, { name: 'b' }),
      spec({ name: 'a', $patch: 'delete' }),
      spec({ name: 'b' }),
    ],
    [
      '$patch: delete of a missing item does nothing',
      spec({ name: 'b' }),
      spec({ name: 'a', $patch: 'delete' }),
      spec({ name: 'b' }),
    ],
    [
      '$patch: replace replaces a list',
      spec({ name: 'a' }, { name: 'b' }),
      spec({ name: 'c' }, { $patch: 'replace' }),
      spec({ name: 'c' }),
    ],
    ['$patch: replace alone empties a list', spec({ name: 'a' }), spec({ $patch: 'replace' }), spec()],
    [
      '$patch: merge in an item is the default',
      spec({ name: 'a', image: '1' }),
      spec({ name: 'a', $patch: 'merge' }),
      spec({ name: 'a', image: '1' }),
    ],
    [
      '$patch: replace replaces a map',
      meta({ labels: { x: '1' } }),
      meta({ labels: { $patch: 'replace', y: '2' } }),
      meta({ labels: { y: '2' } }),
    ],
    [
      '$patch: delete empties a map',
      meta({ labels: { x: '1' } }),
      meta({ labels: { $patch: 'delete' } }),
      meta({ labels: {} }),
    ],
    [
      '$patch: merge in a map is the default',
      meta({ labels: { x: '1' } }),
      meta({ labels: { $patch: 'merge', y: '2' } }),
      meta({ labels: { x: '1', y: '2' } }),
    ],
    ['directives in new objects do not stay', {}, spec({ name: 'a', $patch: 'merge' }), spec({ name: 'a' })],
    [
      'directives in new items do not stay',
      spec(),
      spec({ name: 'a', '$setElementOrder/env': [{ name: 'X' }], env: [{ name: 'X', $patch: 'merge' }] }),
      spec({ name: 'a', env: [{ name: 'X' }] }),
    ],
    [
      '$setElementOrder orders items',
      spec({ name: 'a' }, { name: 'b' }),
      {
        spec: {
          '$setElementOrder/containers': [{ name: 'c' }, { name: 'b' }, { name: 'a' }],
          containers: [{ name: 'c' }],
        },
      },
      spec({ name: 'c' }, { name: 'b' }, { name: 'a' }),
    ],
    [
      '$setElementOrder works alone, items that it does not name keep their places',
      spec({ name: 'a' }, { name: 'x' }, { name: 'b' }),
      { spec: { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }] } },
      spec({ name: 'b' }, { name: 'x' }, { name: 'a' }),
    ],
    [
      '$setElementOrder orders strings',
      meta({ finalizers: ['a', 'b'] }),
      meta({ '$setElementOrder/finalizers': ['c', 'b', 'a'], finalizers: ['c'] }),
      meta({ finalizers: ['c', 'b', 'a'] }),
    ],
    [
      '$retainKeys drops all other keys',
      { spec: { volumes: [{ name: 'v', emptyDir: {} }] } },
      { spec: { volumes: [{ name: 'v', $retainKeys: ['name', 'hostPath'], hostPath: { path: '/x' } }] } },
      { spec: { volumes: [{ name: 'v', hostPath: { path: '/x' } }] } },
    ],
  ];
  for (const [what, original, patch, expected] of cases) {
    const before = structuredClone([original, patch]);
    t.strictSame(applyStrategicMergePatch(POD, original, patch), expected, what);
    t.strictSame([original, patch], before, 'the arguments stay as they were');
  }
  t.end();
});

test('fields may have a strategy of their own', (t) => {
  t.strictSame(
    applyStrategicMergePatch(
      DEPLOYMENT,
      { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } },
      { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } },
    ),
    { spec: { strategy: { type: 'Recreate' } } },
  );
  t.strictSame(
    applyStrategicMergePatch(
      BUDGET,
      { spec: { selector: { matchLabels: { a: '1' } } } },
      { spec: { selector: { matchLabels: { b: '2' } } } },
    ),
    { spec: { selector: { matchLabels: { b: '2' } } } },
    'a disruption budget replaces its selector',
  );
  t.end();
});

test('patches that mean nothing are bad requests', (t) => {
  const cases: [what: string, patch: { [key: string]: unknown }, message: RegExp][] = [
    ['an item without its merge key', spec({ image: 'x' }), /does not contain declared merge key: name/],
    ['a deletion without the merge key', spec({ $patch: 'delete' }), /merge key: name/],
    ['an item that is no object', { spec: { containers: ['a'] } }, /"name"/],
    ['an unknown directive', meta({ labels: { $patch: 'shuffle' } }), /unknown patch type found: "shuffle"/],
    ['$retainKeys that does not name a key of the patch', meta({ $retainKeys: ['a'], b: 1 }), /"b"/],
    ['$setElementOrder that is no list', { spec: { '$setElementOrder/containers': {} } }, /must be a list/],
  ];
  for (const [what, patch, message] of cases) {
    t.throws(() => applyStrategicMergePatch(POD, spec({ name: 'a' }), patch), { code: 400, message }, what);
  }
  t.end();
});
