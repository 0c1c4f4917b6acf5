import { join } from 'node:path';
import t from 'tap';
import { customResourceDefinitions } from '../../../hub/custom-resources/custom-resource-definitions.ts';
import { CustomResources } from '../../../hub/custom-resources/custom-resources.ts';
import { StoreRegistry } from '../../../hub/registry/store-registry.ts';
import { trackFields } from '../../../hub/registry/track-fields.ts';
import type { KubeObject } from '../../../hub/resources/object.ts';
import { namespaces, resourceByPlural, resources } from '../../../hub/resources/table-of-resources.ts';
import { SqliteStore } from '../../../hub/store/sqlite-store.ts';
import { definitionOf, objectOf } from '../api/custom-resource-hub.ts';

const options = { fieldManager: 'test' };

function open(path: string) {
  const store = SqliteStore.open(path);
  const registry = new StoreRegistry({ store, definitions: resources, trackFields });
  const custom = new CustomResources(registry);
  return {
    registry,
    lamps: () => resourceByPlural(registry.definitions, 'example.com', 'lamps'),
    close: () => {
      custom.close();
      registry.close();
      store.close();
    },
  };
}

async function defineLamps(registry: StoreRegistry): Promise<KubeObject> {
  const definition = definitionOf('Lamp', objectOf({ spec: objectOf({ watts: { type: 'integer' } }) }));
  const made = await registry.create(customResourceDefinitions, definition as unknown as KubeObject, options);
  const conditions = [{ type: 'Established', status: 'True' }];
  const status = { ...(made.status as object), conditions };
  return registry.update(
    customResourceDefinitions,
    { ...made, status },
    { ...options, subresource: 'status' },
  );
}

const lamp = (name: string): KubeObject => ({
  apiVersion: 'example.com/v1',
  kind: 'Lamp',
  metadata: { name, namespace: 'default' },
  spec: { watts: 5 },
});

t.test('what is established is served, and again after a restart', async (t) => {
  const path = join(t.testdir({}), 'hub.db');
  const before = open(path);
  await before.registry.create(
    namespaces,
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } },
    options,
  );
  t.equal(before.lamps(), undefined);
  await defineLamps(before.registry);
  const lamps = before.lamps();
  if (!lamps) throw new Error('lamps are not served');
  await before.registry.create(lamps, lamp('a'), options);
  before.close();
  const after = open(path);
  t.teardown(after.close);
  const again = after.lamps();
  t.match(again && after.registry.get(again, 'default', 'a'), { spec: { watts: 5 } });
});

t.test('who watches all sees those of resources that come later, and each once', async (t) => {
  const { registry, lamps, close } = open(join(t.testdir({}), 'hub.db'));
  t.teardown(close);
  await registry.create(
    namespaces,
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } },
    options,
  );
  const seen: string[] = [];
  const end = registry.watchAll(
    ({ group }) => group === 'example.com',
    (resource, event) => void seen.push(`${event.type} ${resource.plural}`),
  );
  const definition = await defineLamps(registry);
  const first = lamps();
  if (!first) throw new Error('lamps are not served');
  await registry.create(first, lamp('a'), options);
  t.same(seen, ['SYNCED lamps', 'ADDED lamps']);

  const list = registry.definitions;
  await registry.update(
    customResourceDefinitions,
    { ...definition, metadata: { ...definition.metadata, labels: { a: 'b' } } },
    options,
  );
  t.equal(registry.definitions, list, 'a label of the definition concerns nobody');

  const spec = structuredClone(definition.spec) as { versions: { schema: unknown }[] };
  const [version] = spec.versions;
  if (version) version.schema = { openAPIV3Schema: objectOf({ spec: objectOf({}) }) };
  const current = registry.get(customResourceDefinitions, undefined, 'lamps.example.com');
  await registry.update(customResourceDefinitions, { ...(current ?? definition), spec }, options);
  const second = lamps();
  t.not(second, first);
  t.same(
    second && registry.get(second, 'default', 'a')?.spec,
    {},
    'what the schema does not know is not read',
  );
  t.same(
    registry.get(first, 'default', 'a')?.spec,
    {},
    'whoever still holds the old definition sees the same',
  );
  await registry.delete(first, 'default', 'a', {});
  t.same(seen, ['SYNCED lamps', 'ADDED lamps', 'DELETED lamps']);
  end();
});
