import t from 'tap';
import { configMaps } from '../../../../hub/resources/table-of-resources.ts';
import { startHub } from '../test-hub.ts';
import { DEPLOYMENTS, deployment, MAPS, map, namesOf } from './objects.ts';

let aheadMs = 0;
const hub = await startHub(t, { now: () => Date.now() + aheadMs });
const versionOf = (body: { metadata: { resourceVersion: string } }) => Number(body.metadata.resourceVersion);

t.test('B.3.1 one revision for everything', async (t) => {
  const made = versionOf((await hub.post(MAPS, map('a'))).body);
  const other = versionOf((await hub.post(DEPLOYMENTS, deployment('web'))).body);
  t.ok(other > made, 'also across kinds');
  const watch = await hub.watch(`${MAPS}?watch=true&resourceVersion=${other}`);
  await hub.delete(`${MAPS}/a`);
  const { type, object } = await watch.next();
  watch.close();
  t.equal(type, 'DELETED');
  t.ok(versionOf(object) > other, 'a deletion takes one too');
  t.match(object.metadata.resourceVersion, /^[1-9]\d*$/);
});

t.test('B.3.2 resourceVersion and resourceVersionMatch', async (t) => {
  const { revision } = hub.registry;
  const list = (query: string) => hub.get(`${MAPS}?${query}`);
  for (const query of ['', 'resourceVersion=0', `resourceVersion=${revision}`, 'resourceVersion=1'])
    t.match(
      await list(query),
      { code: 200, body: { metadata: { resourceVersion: String(revision) } } },
      query,
    );
  t.match(await list(`resourceVersion=${revision}&resourceVersionMatch=Exact`), { code: 200 });
  t.match(await list('resourceVersion=1&resourceVersionMatch=NotOlderThan'), { code: 200 });
  t.match(await list('resourceVersion=0&resourceVersionMatch=NotOlderThan'), { code: 200 });
  const tooLarge = {
    code: 504,
    body: { reason: 'Timeout', details: { causes: [{ reason: 'ResourceVersionTooLarge' }] } },
  };
  for (const query of ['', '&resourceVersionMatch=Exact', '&resourceVersionMatch=NotOlderThan'])
    t.match(await list(`resourceVersion=9999999${query}`), tooLarge, query);
  t.match(await hub.get(`${DEPLOYMENTS}/web?resourceVersion=9999999`), tooLarge, 'of one object');
  for (const [query, message] of [
    ['resourceVersionMatch=Exact', 'resourceVersionMatch is forbidden unless resourceVersion is provided'],
    [
      'resourceVersionMatch=Exact&resourceVersion=0',
      'resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
    ],
    [
      'resourceVersionMatch=NotOlderThan&resourceVersion=1&continue=x',
      'resourceVersionMatch is forbidden when continue is provided',
    ],
    ['resourceVersionMatch=Newest&resourceVersion=1', 'resourceVersionMatch: Unsupported value: "Newest"'],
  ] as const) {
    const { code, body } = await list(query);
    t.match([code, body.reason, body.details.kind], [422, 'Invalid', 'ListOptions'], query);
    t.match(body.message, message);
  }
  t.match(
    await list('continue=x&resourceVersion=1'),
    { code: 400 },
    'a page is of its list, not of a version',
  );
  t.match(await list('resourceVersion=x'), { code: 400 });
});

t.test('B.3.2 an exact version is what was there then', async (t) => {
  await hub.post(MAPS, map('kept', { a: '1' }));
  await hub.post(MAPS, map('removed'));
  const { revision } = hub.registry;
  await hub.patch(`${MAPS}/kept`, 'merge', { data: { a: '2' } });
  await hub.delete(`${MAPS}/removed`);
  await hub.post(MAPS, map('added'));
  const exact = await hub.get(`${MAPS}?resourceVersion=${revision}&resourceVersionMatch=Exact`);
  t.match(exact, { code: 200, body: { metadata: { resourceVersion: String(revision) } } });
  t.same(namesOf(exact), ['kept', 'removed']);
  t.equal(exact.body.items[0].data.a, '1');
  t.same(namesOf(await hub.get(`${MAPS}?limit=1&resourceVersion=${revision}&resourceVersionMatch=Exact`)), [
    'kept',
  ]);
});

t.test('B.3.2 an exact version that is forgotten', async (t) => {
  const old = await startHub(t);
  await old.post(MAPS, map('a'));
  await old.patch(`${MAPS}/a`, 'merge', { data: { a: 'b' } });
  old.store.compact(old.registry.revision - 1);
  t.match(await old.get(`${MAPS}?resourceVersion=1&resourceVersionMatch=Exact`), {
    code: 410,
    body: { reason: 'Expired', message: 'The resourceVersion for the provided list is too old.' },
  });
});

t.test('B.3.3 ten thousand objects, five hundred a page, of one state', async (t) => {
  const count = 10_000;
  const name = (index: number) => `n${String(index).padStart(5, '0')}`;
  await hub.post('/api/v1/namespaces', { metadata: { name: 'many' } });
  const many = '/api/v1/namespaces/many/configmaps';
  for (let start = 0; start < count; start += 500)
    await Promise.all(
      Array.from({ length: 500 }, (_, index) => {
        const object = {
          ...map(name(start + index)),
          metadata: { name: name(start + index), namespace: 'many' },
        };
        return hub.registry.create(configMaps, object, { fieldManager: 'test' });
      }),
    );
  const seen: string[] = [];
  const versions = new Set<string>();
  let token = '';
  do {
    const { code, body } = await hub.get(`${many}?limit=500&continue=${token}`);
    t.equal(code, 200);
    if (seen.length === 0) {
      t.equal(body.metadata.remainingItemCount, count - 500);
      await hub.delete(`${many}/${name(9_999)}`);
      await hub.post(many, map('a-new-one'));
    }
    seen.push(...namesOf({ body }));
    versions.add(body.metadata.resourceVersion);
    token = body.metadata.continue ?? '';
  } while (token);
  t.same(
    seen,
    Array.from({ length: count }, (_, index) => name(index)),
    'what came and went meanwhile is not seen',
  );
  t.equal(versions.size, 1);
  const { metadata } = (await hub.get(`${many}?limit=500&labelSelector=!x`)).body;
  t.ok(metadata.continue);
  t.equal(metadata.remainingItemCount, undefined, 'not with a selector');
});

t.test('B.3.3 a continue token that is too old says how to go on', async (t) => {
  const many = '/api/v1/namespaces/many/configmaps';
  const first = await hub.get(`${many}?limit=9990&labelSelector=!x`);
  aheadMs += 3_600_000;
  const { code, body } = await hub.get(
    `${many}?limit=5&labelSelector=!x&continue=${first.body.metadata.continue}`,
  );
  t.match([code, body.reason], [410, 'Expired']);
  t.match(body.message, /^The provided continue parameter is too old to display a consistent list result\./);
  await hub.post(many, map('n09990a'));
  const next = await hub.get(`${many}?limit=5&labelSelector=!x&continue=${body.metadata.continue}`);
  t.equal(next.code, 200);
  t.same(namesOf(next), ['n09989', 'n09990', 'n09990a', 'n09991', 'n09992'], 'the rest as it is now');
  t.equal(next.body.metadata.resourceVersion, String(hub.registry.revision));
  t.same(
    namesOf(await hub.get(`${many}?labelSelector=!x&continue=${next.body.metadata.continue}`)),
    ['n09993', 'n09994', 'n09995', 'n09996', 'n09997', 'n09998'],
    'and from there on it is one state again',
  );
  t.match(await hub.get(`${many}?continue=not-a-token`), { code: 400 });
});

t.test('B.3.4 what changes nothing takes no revision', async (t) => {
  const { body } = await hub.post(MAPS, map('same', { a: 'b' }));
  await hub.patch(`${MAPS}/same?fieldManager=m&force=true`, 'apply', map('same', { a: 'b' }));
  const { revision } = hub.registry;
  const now = (await hub.get(`${MAPS}/same`)).body;
  await hub.put(`${MAPS}/same`, now);
  await hub.patch(`${MAPS}/same`, 'merge', { data: { a: 'b' } });
  await hub.patch(`${MAPS}/same`, 'strategic-merge', { data: { a: 'b' } });
  await hub.patch(`${MAPS}/same`, 'json', [{ op: 'replace', path: '/data/a', value: 'b' }]);
  await hub.patch(`${MAPS}/same?fieldManager=m`, 'apply', map('same', { a: 'b' }));
  t.equal(hub.registry.revision, revision);
  t.equal((await hub.get(`${MAPS}/same`)).body.metadata.uid, body.metadata.uid);
});

t.test('nothing went wrong inside', async (t) => t.same(hub.errors, []));
