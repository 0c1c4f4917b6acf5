import t from 'tap';
import { startHub } from '../test-hub.ts';
import { MAPS, map, namesOf, PODS, pod } from './objects.ts';

const hub = await startHub(t);
const select = async (path: string, selectors: Record<string, string>) =>
  hub.get(`${path}?${new URLSearchParams(selectors)}`);

t.test('B.9.1 label selectors', async (t) => {
  await hub.post(MAPS, map('none'));
  await hub.post(MAPS, map('one', {}, { labels: { tier: 'a', weight: '1', 'example.com/x': '' } }));
  await hub.post(MAPS, map('two', {}, { labels: { tier: 'b', weight: '20' } }));
  const rows: [string, string[]][] = [
    ['tier=a', ['one']],
    ['tier==a', ['one']],
    ['tier!=a', ['none', 'two']],
    ['tier in (a, b)', ['one', 'two']],
    ['tier notin (a,c)', ['none', 'two']],
    ['tier', ['one', 'two']],
    ['!tier', ['none']],
    ['tier,tier!=a', ['two']],
    ['weight>1', ['two']],
    ['weight<20', ['one']],
    ['weight > 0, weight < 21', ['one', 'two']],
    ['example.com/x=', ['one']],
    ['', ['none', 'one', 'two']],
  ];
  for (const [labelSelector, names] of rows)
    t.same(namesOf(await select(MAPS, { labelSelector })), names, labelSelector);
  for (const labelSelector of ['tier=', 'tier in ()'])
    t.equal((await select(MAPS, { labelSelector })).code, 200, labelSelector);
  for (const bad of [
    'a===b',
    'a in b',
    'a in (b',
    'a,',
    '=a',
    'weight>x',
    `${'k'.repeat(64)}=a`,
    `a=${'v'.repeat(64)}`,
    '-a=b',
    'A/B/c=d',
  ])
    t.match(await select(MAPS, { labelSelector: bad }), { code: 400, body: { reason: 'BadRequest' } }, bad);
});

t.test('B.9.2 field selectors', async (t) => {
  await hub.post('/api/v1/namespaces', { metadata: { name: 'other' } });
  for (const namespace of ['default', 'other'])
    await hub.post(`/api/v1/namespaces/${namespace}/pods`, pod('p', { nodeName: `of-${namespace}` }));
  await hub.post(PODS, pod('q'));
  const rows: [string, string[]][] = [
    ['metadata.name=p', ['p', 'p']],
    ['metadata.name==p,metadata.namespace=other', ['p']],
    ['metadata.name!=p', ['q']],
    ['spec.nodeName=of-default', ['p']],
    ['spec.nodeName=', ['q']],
    ['spec.nodeName!=,status.phase!=Succeeded', ['p', 'p']],
    ['spec.host=of-other', ['p']],
    ['status.phase=Pending,spec.restartPolicy=Always', ['p', 'q', 'p']],
  ];
  for (const [fieldSelector, names] of rows)
    t.same(namesOf(await select('/api/v1/pods', { fieldSelector })), names, fieldSelector);
  for (const [path, field] of [
    [PODS, 'spec.containers'],
    [MAPS, 'data.a'],
    ['/api/v1/nodes', 'status.phase'],
  ] as const)
    t.match(await select(path, { fieldSelector: `${field}=x` }), {
      code: 400,
      body: { message: `field label not supported: ${field}` },
    });
  t.match(await select(PODS, { fieldSelector: 'metadata.name' }), { code: 400 });
});

t.test('B.9.2 values with signs of the selector itself', async (t) => {
  const events = '/api/v1/namespaces/default/events';
  const involvedObject = { namespace: 'default' };
  await hub.post(events, { metadata: { name: 'e' }, involvedObject, reason: 'a,b=c\\d' });
  await hub.post(events, { metadata: { name: 'f' }, involvedObject, reason: 'plain' });
  t.same(namesOf(await select(events, { fieldSelector: 'reason=a\\,b\\=c\\\\d' })), ['e']);
  t.same(
    namesOf(
      await select(events, {
        fieldSelector: 'involvedObject.uid=,reason!=plain,involvedObject.namespace=default',
      }),
    ),
    ['e'],
    'in any order, also of empty values',
  );
});

t.test('B.9.3 a selector of one name is looked up, not searched for', async (t) => {
  const { configMaps } = await import('../../../../hub/resources/table-of-resources.ts');
  const { selectionOf } = await import('../../../../hub/resources/selector.ts');
  const selection = selectionOf(configMaps, { namespace: 'default', fieldSelector: 'metadata.name=one' });
  t.equal(selection.name, 'one', 'the registry is told the name');
  t.same(hub.registry.list(configMaps, selection).items.length, 1);
});

t.test('nothing went wrong inside', async (t) => t.same(hub.errors, []));
