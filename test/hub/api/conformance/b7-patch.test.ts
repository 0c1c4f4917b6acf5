import t from 'tap';
import { startHub } from '../test-hub.ts';
import { DEPLOYMENTS, deployment, MAPS, map } from './objects.ts';

const hub = await startHub(t);
const path = `${DEPLOYMENTS}/web`;
const container = (name: string, image = 'busybox:1', more: object = {}) => ({ name, image, ...more });
const inPod = (spec: object) => ({ spec: { template: { spec } } });
const strategic = async (patch: object) => (await hub.patch(path, 'strategic-merge', patch)).body;
const names = (body: { spec: { template: { spec: { containers: { name: string }[] } } } }) =>
  body.spec.template.spec.containers.map(({ name }) => name);

t.before(async () => {
  await hub.post(MAPS, map('one', { a: '1' }));
  const template = {
    metadata: { labels: { app: 'web' } },
    spec: { containers: [container('a'), container('b'), container('c')] },
  };
  t.equal((await hub.post(DEPLOYMENTS, deployment('web', { template }))).code, 201);
});

t.test('B.7.1 JSON patch', async (t) => {
  const patch = (body: unknown, query = '') => hub.patch(`${MAPS}/one${query}`, 'json', body);
  t.match(
    await patch([
      { op: 'test', path: '/data/a', value: '1' },
      { op: 'add', path: '/data/b', value: '2' },
    ]),
    {
      code: 200,
      body: { data: { a: '1', b: '2' } },
    },
  );
  t.match(await patch([{ op: 'test', path: '/data/a', value: '9' }]), {
    code: 422,
    body: { reason: 'Invalid' },
  });
  t.match(await patch([{ op: 'remove', path: '/data/none' }]), { code: 422 });
  t.match(await patch([{ op: 'replace', path: '/none/x', value: 1 }]), { code: 422 });
  for (const bad of [{}, [{ op: 'jump', path: '/' }], '[', [{ path: '/data' }]])
    t.match(await patch(bad), { code: 400, body: { reason: 'BadRequest' } }, JSON.stringify(bad));
  const many = Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/data/a', value: '1' }));
  t.equal((await patch(many.slice(1))).code, 200);
  t.equal((await patch(many)).code, 413);
  t.match(await patch([{ op: 'add', path: '/data/n', value: 1 }]), { code: 400 }, 'its result is decoded');
  const unknown = [{ op: 'add', path: '/extra', value: 1 }];
  t.match(await patch(unknown, '?fieldValidation=Strict'), {
    code: 400,
    body: { message: /unknown field "extra"/ },
  });
  t.match((await patch(unknown)).headers['warning'], /unknown field/);
});

t.test('B.7.2 merge patch', async (t) => {
  t.same((await hub.patch(`${MAPS}/one`, 'merge', { data: { a: null, c: '3' } })).body.data, {
    b: '2',
    c: '3',
  });
  const { body } = await hub.patch(`${path}?dryRun=All`, 'merge', inPod({ containers: [container('z')] }));
  t.same(names(body), ['z'], 'lists are replaced');
});

t.test('B.7.3 lists with a key are merged, others replaced', async (t) => {
  const body = await strategic(inPod({ containers: [container('b', 'other:1'), container('d')] }));
  t.same(names(body).sort(), ['a', 'b', 'c', 'd']);
  t.equal(
    body.spec.template.spec.containers.find(({ name }: { name: string }) => name === 'b').image,
    'other:1',
  );
  const args = (list: string[]) =>
    inPod({ containers: [{ name: 'a', args: list, env: [{ name: list[0], value: '1' }] }] });
  await strategic(args(['x', 'y']));
  const { spec } = (await strategic(args(['z']))).spec.template;
  const a = spec.containers.find(({ name }: { name: string }) => name === 'a');
  t.same(a.args, ['z']);
  t.same(a.env.map(({ name }: { name: string }) => name).sort(), ['x', 'z']);
  t.match(await hub.patch(path, 'strategic-merge', inPod({ containers: [{ image: 'nameless' }] })), {
    code: 400,
    body: { message: /does not contain declared merge key: name/ },
  });
});

t.test('B.7.3 directives', async (t) => {
  t.same(
    names(await strategic(inPod({ containers: [{ $patch: 'delete', name: 'd' }] }))).includes('d'),
    false,
  );
  t.same(
    names(
      await strategic(
        inPod({
          $setElementOrder: undefined,
          '$setElementOrder/containers': [{ name: 'c' }, { name: 'a' }, { name: 'b' }],
        }),
      ),
    ),
    ['c', 'a', 'b'],
  );
  t.same(names(await strategic(inPod({ containers: [{ $patch: 'replace' }, container('only')] }))), ['only']);
  const map = {
    metadata: { labels: { one: '1', two: '2' }, finalizers: ['example.com/a', 'example.com/b'] },
  };
  t.match((await strategic(map)).metadata, map.metadata);
  t.same((await strategic({ metadata: { labels: { $patch: 'replace', three: '3' } } })).metadata.labels, {
    three: '3',
  });
  t.same((await strategic({ metadata: { labels: { four: '4', three: null } } })).metadata.labels, {
    four: '4',
  });
  t.equal((await strategic({ metadata: { labels: { $patch: 'delete' } } })).metadata.labels, undefined);
  t.same(
    (await strategic({ metadata: { '$deleteFromPrimitiveList/finalizers': ['example.com/a'] } })).metadata
      .finalizers,
    ['example.com/b'],
  );
  await strategic({ metadata: { '$deleteFromPrimitiveList/finalizers': ['example.com/b'] } });
  t.same(
    (await strategic({ spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } })).spec.strategy,
    { type: 'Recreate' },
    'what is not retained goes',
  );
});

t.test('B.7.4 a version in a patch is a condition', async (t) => {
  const { metadata } = (await hub.get(`${MAPS}/one`)).body;
  const bodies: [string, (version: string) => unknown][] = [
    ['json', (version) => [{ op: 'replace', path: '/metadata/resourceVersion', value: version }]],
    ['merge', (version) => ({ metadata: { resourceVersion: version } })],
    ['strategic-merge', (version) => ({ metadata: { resourceVersion: version } })],
    ['apply', (version) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { resourceVersion: version } })],
  ];
  for (const [type, body] of bodies) {
    const query = type === 'apply' ? '?fieldManager=m' : '';
    const patch = (version: string) => hub.patch(`${MAPS}/one${query}`, type, body(version));
    t.match(await patch('1'), { code: 409, body: { reason: 'Conflict' } }, type);
    t.match(await patch(metadata.resourceVersion), { code: 200 }, type);
  }
});

t.test('B.7.4 without one, writes that meet are tried again', async (t) => {
  const answers = await Promise.all(
    Array.from({ length: 5 }, (_, index) =>
      hub.patch(`${MAPS}/one`, 'merge', { data: { [`n${index}`]: 'x' } }),
    ),
  );
  t.same(
    answers.map(({ code }) => code),
    [200, 200, 200, 200, 200],
  );
  t.equal(
    Object.keys((await hub.get(`${MAPS}/one`)).body.data).filter((key) => key.startsWith('n')).length,
    5,
  );
});

t.test('B.7.5 of what is not there', async (t) => {
  for (const type of ['json', 'merge', 'strategic-merge'])
    t.match(await hub.patch(`${MAPS}/none`, type, type === 'json' ? [] : {}), { code: 404 });
  t.equal((await hub.patch(`${MAPS}/none?fieldManager=m`, 'apply', map('none'))).code, 201);
  t.match(await hub.patch(`${MAPS}/one?force=true`, 'merge', {}), {
    code: 422,
    body: { message: /force: Forbidden: may not be specified for non-apply patch/ },
  });
});

t.test('nothing went wrong inside', async (t) => t.same(hub.errors, []));
