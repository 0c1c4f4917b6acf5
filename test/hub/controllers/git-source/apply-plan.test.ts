import t from 'tap';
import { goneOf, placed, sorted, stagesOf } from '../../../../hub/controllers/git-source/apply-plan.ts';
import { differenceOf } from '../../../../hub/controllers/git-source/drift.ts';
import type { Manifest } from '../../../../hub/controllers/git-source/manifests.ts';
import type { ObjectRef } from '../../../../hub/fleet/git-source.ts';
import type { KubeObject } from '../../../../hub/resources/object.ts';

const manifest = (kind: string, name: string, metadata: object = {}): Manifest => ({
  file: `${name}.yaml`,
  ref: { apiVersion: 'v1', kind, name, ...metadata },
  body: { value: { apiVersion: 'v1', kind, metadata: { name, ...metadata } }, duplicates: [] },
});
const PLACEMENT = {
  source: 'home/s',
  namespace: 'home',
  isNamespaced: ({ kind }: ObjectRef) => (kind === 'Unknown' ? undefined : kind !== 'Namespace'),
  keyOf: ({ kind, namespace = '', name }: ObjectRef) =>
    kind === 'Unknown' ? undefined : `${kind} ${namespace}/${name}`,
};

t.test('what others stand on comes first, the rest as it stands', async (t) => {
  const kinds = [
    'Deployment',
    'RoleBinding',
    'Role',
    'ConfigMap',
    'CustomResourceDefinition',
    'Namespace',
    'ServiceAccount',
  ];
  const stages = stagesOf(kinds.map((kind) => manifest(kind, 'a')));
  t.same(
    stages.map((stage) => stage.map(({ ref }) => ref.kind)),
    [
      ['CustomResourceDefinition', 'Namespace'],
      ['Role', 'ServiceAccount'],
      ['Deployment', 'RoleBinding', 'ConfigMap'],
    ],
  );
});

for (const [what, given, targetNamespace, ref] of [
  ['its own namespace', manifest('ConfigMap', 'a', { namespace: 'own' }), undefined, { namespace: 'own' }],
  ['that of its GitSource', manifest('ConfigMap', 'a'), undefined, { namespace: 'home' }],
  ['where all goes', manifest('ConfigMap', 'a', { namespace: 'own' }), 'target', { namespace: 'target' }],
] as const)
  t.test(`an object goes to ${what}`, async (t) => {
    const [found] = sorted([placed(given, { ...PLACEMENT, targetNamespace })]).wanted;
    t.match(found, {
      ref,
      body: { value: { metadata: { ...ref, annotations: { 'fleet.holdfast.dev/git-source': 'home/s' } } } },
    });
  });

t.test('what is in no namespace gets none', async (t) => {
  const [found] = sorted([placed(manifest('Namespace', 'a', { namespace: 'x' }), PLACEMENT)]).wanted;
  t.same(found?.ref, { apiVersion: 'v1', kind: 'Namespace', name: 'a' });
});

t.test('a kind that is not served is told of', async (t) => {
  const { failures } = sorted([placed(manifest('Unknown', 'a'), PLACEMENT)]);
  t.match(failures, [
    { file: 'a.yaml', object: 'Unknown a', message: /no matches for kind "Unknown" in version "v1"/ },
  ]);
});

t.test('what goes, goes in the other order', async (t) => {
  const refs = ['Namespace', 'Role', 'ConfigMap', 'Secret'].map((kind) => manifest(kind, 'a').ref);
  const gone = goneOf(refs, new Set(['Secret /a']), PLACEMENT.keyOf);
  t.same(
    gone.map(({ kind }) => kind),
    ['ConfigMap', 'Role', 'Namespace'],
  );
});

const object = (spec: object, metadata: object = {}, status: object = {}) =>
  ({ apiVersion: 'v1', kind: 'A', metadata: { name: 'a', ...metadata }, spec, status }) as KubeObject;
for (const [what, live, wanted, fields] of [
  ['the same', object({ a: 1 }), object({ a: 1 }), undefined],
  [
    'what servers say',
    object({}, { uid: '1', generation: 1, resourceVersion: '1' }, { a: 1 }),
    object({}),
    undefined,
  ],
  ['a value', object({ a: { b: 1 } }), object({ a: { b: 2 } }), ['spec.a.b']],
  ['one more', object({ a: 1 }), object({}), ['spec.a']],
  ['an item', object({ l: [{ x: 1 }] }), object({ l: [{ x: 2 }] }), ['spec.l[0].x']],
  ['another length', object({ l: [1] }), object({ l: [1, 2] }), ['spec.l']],
  [
    'a label',
    object({}, { labels: { 'a.b/c': 'x' } }),
    object({}, { labels: { 'a.b/c': 'y' } }),
    ['metadata.labels["a.b/c"]'],
  ],
] as const)
  t.test(`drift: ${what}`, async (t) => {
    const found = differenceOf('A a', live, wanted);
    t.same(found, fields && { object: 'A a', state: 'Differs', fields });
  });
