import t from 'tap';
import { validateMetadata } from '../../../hub/resources/metadata-validation.ts';
import type { ObjectMeta } from '../../../hub/resources/object.ts';
import { configMaps, namespaces, nodes } from '../../../hub/resources/table-of-resources.ts';

const errorsOf = (metadata: ObjectMeta, definition = configMaps) =>
  validateMetadata(definition, { apiVersion: 'v1', kind: 'X', metadata }).map(({ field, reason }) => [
    field,
    reason,
  ]);
const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'u' };
const good = { name: 'a', namespace: 'default' };

t.test('metadata that is right', async (t) => {
  t.same(errorsOf(good), []);
  t.same(errorsOf({ name: 'node-1.example.com' }, nodes), []);
  t.same(
    errorsOf({
      ...good,
      labels: { 'example.com/a': 'b' },
      annotations: { 'Example.com/A': 'any text\n' },
      finalizers: ['example.com/wait', 'foregroundDeletion'],
      ownerReferences: [
        { ...owner, controller: true },
        { ...owner, uid: 'v' },
      ],
    }),
    [],
  );
});

t.test('metadata that is wrong', async (t) => {
  const cases: [string, ObjectMeta, string, string][] = [
    ['no name', { namespace: 'a' }, 'metadata.name', 'FieldValueRequired'],
    ['a bad name', { ...good, name: 'A' }, 'metadata.name', 'FieldValueInvalid'],
    ['a bad prefix', { ...good, generateName: 'A-' }, 'metadata.generateName', 'FieldValueInvalid'],
    ['no namespace', { name: 'a' }, 'metadata.namespace', 'FieldValueRequired'],
    ['a bad namespace', { name: 'a', namespace: 'a.b' }, 'metadata.namespace', 'FieldValueInvalid'],
    ['a bad label', { ...good, labels: { a: 'b c' } }, 'metadata.labels', 'FieldValueInvalid'],
    ['a bad key', { ...good, annotations: { 'a b': '' } }, 'metadata.annotations', 'FieldValueInvalid'],
    [
      'large annotations',
      { ...good, annotations: { a: 'x'.repeat(262144) } },
      'metadata.annotations',
      'FieldValueTooLong',
    ],
    [
      'an owner without uid',
      { ...good, ownerReferences: [{ ...owner, uid: '' }] },
      'metadata.ownerReferences[0].uid',
      'FieldValueInvalid',
    ],
    [
      'two controllers',
      {
        ...good,
        ownerReferences: [
          { ...owner, controller: true },
          { ...owner, uid: 'v', controller: true },
        ],
      },
      'metadata.ownerReferences',
      'FieldValueInvalid',
    ],
    ['a bare finalizer', { ...good, finalizers: ['wait'] }, 'metadata.finalizers[0]', 'FieldValueInvalid'],
    [
      'a finalizer twice',
      { ...good, finalizers: ['a.b/c', 'a.b/c'] },
      'metadata.finalizers[1]',
      'FieldValueDuplicate',
    ],
  ];
  for (const [what, metadata, field, reason] of cases) t.same(errorsOf(metadata), [[field, reason]], what);
  t.same(errorsOf({ name: 'a', namespace: 'b' }, nodes), [['metadata.namespace', 'FieldValueForbidden']]);
  t.same(
    errorsOf({ name: 'a.b' }, namespaces),
    [['metadata.name', 'FieldValueInvalid']],
    'namespaces are labels',
  );
});
