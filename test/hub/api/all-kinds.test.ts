import t, { type Test } from 'tap';
import { apiVersionOf, type ResourceDefinition } from '../../../hub/resources/definition.ts';
import { customResourceDefinitions, resources } from '../../../hub/resources/table-of-resources.ts';
import { viewsOf } from '../../../hub/resources/views.ts';
import { minimalObject } from '../resources/minimal-objects.ts';
import { startHub } from './test-hub.ts';

/* Every kind in every version, through the real API: what follows from a definition must follow for all of them. */

const TABLE = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };
const DISCOVERY = { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' };

const hub = await startHub(t);
/** Definitions of kinds have tests of their own: a name is not theirs to choose. */
const served = resources
  .filter((stored) => stored !== customResourceDefinitions)
  .flatMap((stored) => [stored, ...viewsOf(stored).map(({ definition }) => definition)]);

interface Place {
  readonly collection: string;
  readonly item: string;
}

function placeOf({ group, version, plural, namespaced }: ResourceDefinition): Place {
  const root = group ? `/apis/${group}/${version}` : `/api/${version}`;
  const collection = namespaced ? `${root}/namespaces/default/${plural}` : `${root}/${plural}`;
  return { collection, item: `${collection}/sample` };
}

async function isCreated(t: Test, definition: ResourceDefinition, { collection, item }: Place) {
  const dry = await hub.post(`${collection}?dryRun=All`, minimalObject(definition));
  t.equal(dry.code, 201, `dry run: ${dry.body.message ?? 'fine'}`);
  t.equal((await hub.get(item)).code, 404, 'a dry run stores nothing');
  const strict = `${collection}?fieldValidation=Strict`;
  const { code, body } = await hub.post(strict, minimalObject(definition));
  t.equal(code, 201, `created: ${body.message ?? 'fine'}`);
  t.match(body, { apiVersion: apiVersionOf(definition), kind: definition.kind });
  t.match((await hub.get(item)).body, { ...body }, 'it is there as it was answered');
  t.equal((await hub.post(collection, minimalObject(definition))).code, 409, 'once');
}

async function isListed(t: Test, definition: ResourceDefinition, { collection, item }: Place) {
  const list = await hub.get(`${collection}?fieldSelector=metadata.name%3Dsample`);
  t.match(list.body, {
    kind: `${definition.kind}List`,
    apiVersion: apiVersionOf(definition),
    items: [{ metadata: { name: 'sample' } }],
  });
  for (const path of [item, `${collection}?fieldSelector=metadata.name%3Dsample`]) {
    const { body } = await hub.get(path, { headers: TABLE });
    const [row] = body.rows;
    t.equal(row.cells.length, body.columnDefinitions.length, 'a cell for each column');
    for (const [index, cell] of row.cells.entries()) {
      const { name, type } = body.columnDefinitions[index];
      t.not(cell ?? undefined, undefined, `${name} has a cell`);
      t.notMatch(`${cell}`, /undefined|null|NaN|\[object/, `${name} is ${JSON.stringify(cell)}`);
      if (type === 'integer') t.type(cell, 'number', name);
    }
  }
  for (const field of Object.keys(definition.fieldSelectors ?? {}))
    t.equal((await hub.get(`${collection}?fieldSelector=${field}%3Dx`)).code, 200, `selects by ${field}`);
  t.equal((await hub.get(`${collection}?fieldSelector=spec.nothing%3Dx`)).code, 400);
}

async function isChanged(t: Test, { schema }: ResourceDefinition, { item }: Place) {
  const { body: read } = await hub.get(item);
  const same = await hub.put(item, read);
  t.equal(same.code, 200, `put back: ${same.body.message ?? 'fine'}`);
  t.equal(same.body.metadata.resourceVersion, read.metadata.resourceVersion, 'which changes nothing');
  const labelled = { ...read, metadata: { ...read.metadata, labels: { ...read.metadata.labels, a: 'b' } } };
  const put = await hub.put(item, labelled);
  t.equal(put.body.metadata?.labels?.a, 'b', `updated: ${put.body.message ?? 'fine'}`);
  const patch = await hub.patch(item, 'merge', { metadata: { annotations: { 'example.com/c': 'd' } } });
  t.equal(patch.body.metadata?.annotations?.['example.com/c'], 'd', 'merge patch');
  const strategic = await hub.patch(item, 'strategic-merge', { metadata: { labels: { a: null } } });
  const knowsStrategies = typeof schema === 'string'; // not for kinds that are told like custom ones
  t.equal(strategic.code, knowsStrategies ? 200 : 415, 'strategic patch');
  if (knowsStrategies) t.equal(strategic.body.metadata.labels?.a, undefined);
  t.equal((await hub.put(item, { ...read, metadata: { ...read.metadata, uid: 'x' } })).code, 409);
}

async function isApplied(t: Test, definition: ResourceDefinition, { item }: Place) {
  const apply = (labels: Record<string, string>) => {
    const object = minimalObject(definition);
    const body = { ...object, metadata: { ...object.metadata, labels } };
    return hub.patch(`${item}?fieldManager=applier&force=true`, 'apply', body);
  };
  const first = await apply({ e: 'f', g: 'h' });
  t.equal(first.body.metadata?.labels?.e, 'f', `applied: ${first.body.message ?? 'fine'}`);
  const second = await apply({ e: 'f' });
  t.equal(second.body.metadata?.labels?.g, undefined, 'what is applied no more goes');
  t.equal((await apply({ e: 'f' })).body.metadata.resourceVersion, second.body.metadata.resourceVersion);
}

async function isWatched(t: Test, definition: ResourceDefinition, { collection }: Place) {
  const stream = await hub.watch(
    `${collection}?watch=true&fieldSelector=metadata.name%3Dsample&allowWatchBookmarks=true`,
  );
  t.match(await stream.next(), {
    type: 'ADDED',
    object: { apiVersion: apiVersionOf(definition), kind: definition.kind, metadata: { name: 'sample' } },
  });
  return stream;
}

async function isExplained(t: Test, definition: ResourceDefinition) {
  const { group, version, kind, plural, namespaced } = definition;
  const path = group ? `apis/${group}/${version}` : `api/${version}`;
  const { body: index } = await hub.get('/openapi/v3');
  const { body: document } = await hub.get(index.paths[path].serverRelativeURL);
  const gvk = { group, version, kind };
  const schemas = Object.values(document.components.schemas) as Record<string, unknown>[];
  const found = schemas.filter((each) =>
    ((each['x-kubernetes-group-version-kind'] ?? []) as object[]).some(
      (known) => JSON.stringify(known) === JSON.stringify(gvk),
    ),
  );
  t.equal(found.length, 1, 'one schema');
  t.ok(found[0]?.['properties'], 'with fields');
  const item = namespaced ? `/${path}/namespaces/{namespace}/${plural}/{name}` : `/${path}/${plural}/{name}`;
  const names = document.paths[item].patch.parameters.map(({ name }: { name: string }) => name);
  t.same(document.paths[item].patch['x-kubernetes-group-version-kind'], gvk);
  t.ok(names.includes('fieldValidation'), 'the server validates fields');
}

async function isDiscovered(t: Test, definition: ResourceDefinition) {
  const { group, version, kind, plural, singular, namespaced, shortNames } = definition;
  const { body } = await hub.get(group ? '/apis' : '/api', { headers: DISCOVERY });
  const item = body.items.find(({ metadata }: { metadata: { name?: string } }) =>
    group ? metadata.name === group : true,
  );
  const resource = item.versions
    .find((each: { version: string }) => each.version === version)
    .resources.find((each: { resource: string }) => each.resource === plural);
  t.match(resource, {
    responseKind: { group, version, kind },
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    ...(shortNames.length > 0 && { shortNames }),
  });
  const below = (resource.subresources as { subresource: string }[]).map(({ subresource }) => subresource);
  t.equal(below.includes('status'), definition.hasStatus);
  t.equal(below.includes('scale'), definition.scale !== undefined);
}

for (const definition of served) {
  t.test(`${definition.kind} in ${apiVersionOf(definition)}`, async (t) => {
    const place = placeOf(definition);
    await isCreated(t, definition, place);
    await isListed(t, definition, place);
    await isChanged(t, definition, place);
    await isApplied(t, definition, place);
    const stream = await isWatched(t, definition, place);
    await isExplained(t, definition);
    await isDiscovered(t, definition);
    const { code, body } = await hub.delete(place.item, { gracePeriodSeconds: 0 });
    t.equal(code, 200, `deleted: ${body.message ?? 'fine'}`);
    if (definition.holdsRemoval) {
      t.match((await hub.get(place.item)).body, { metadata: { deletionTimestamp: String } });
      stream.close();
      return;
    }
    t.match(await stream.next(), { type: 'DELETED', object: { kind: definition.kind } });
    stream.close();
    t.equal((await hub.get(place.item)).code, 404, 'it is gone');
  });
}

t.test('nothing of it was a bug of the hub', async (t) => {
  t.same(hub.errors, []);
});
