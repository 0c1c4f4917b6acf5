import { once } from 'node:events';
import { request } from 'node:https';
import t from 'tap';
import type { LogRequest } from '../../../hub/api/pod-streams.ts';
import { badRequest, serviceUnavailable } from '../../../hub/resources/api-error.ts';
import { startHub } from './test-hub.ts';

const refuse = () => Promise.reject(serviceUnavailable('node "n" is not connected'));
const UNREACHABLE = { exec: refuse, attach: refuse, connect: refuse, checkConnected: () => {} };

let asked: LogRequest | undefined;
let signal: AbortSignal | undefined;
const hub = await startHub(t, {
  streams: {
    ...UNREACHABLE,
    log: async (wanted, aborted) => {
      asked = wanted;
      signal = aborted;
      if (wanted.pod.metadata.name === 'waiting')
        throw badRequest('container "a" in pod "waiting" is waiting to start: ContainerCreating');
      if (wanted.pod.metadata.name === 'dark') throw serviceUnavailable('node "n" is not connected');
      return lines(wanted.options.follow, aborted);
    },
  },
});
const pods = '/api/v1/namespaces/default/pods';

async function* lines(follow: boolean, aborted: AbortSignal): AsyncGenerator<Uint8Array> {
  yield Buffer.from('one\n');
  yield Buffer.from('two\n');
  if (follow) await once(aborted, 'abort');
}

const pod = (name: string, spec: object = {}) => ({
  metadata: { name },
  spec: { containers: [{ name: 'a', image: 'b' }], ...spec },
});

t.test('logs', async (t) => {
  await hub.post(pods, pod('logged', { nodeName: 'n' }));
  const { code, text, headers } = await hub.get(
    `${pods}/logged/log?tailLines=10&timestamps=true&sinceSeconds=5&previous=true&container=`,
  );
  t.same([code, text, headers['content-type']], [200, 'one\ntwo\n', 'text/plain']);
  t.match(asked, {
    container: 'a',
    options: {
      follow: false,
      previous: true,
      timestamps: true,
      tailLines: 10,
      sinceSeconds: 5,
      stream: 'All',
    },
  });
  t.equal((await hub.get(`${pods}/logged/log?limitBytes=5`)).text, 'one\nt');
});

t.test('logs that are not to be had', async (t) => {
  const containers = [
    { name: 'a', image: 'b' },
    { name: 'c', image: 'd' },
  ];
  await hub.post(
    pods,
    pod('two', { containers, nodeName: 'n', initContainers: [{ name: 'i', image: 'j' }] }),
  );
  await hub.post(pods, pod('unbound'));
  await hub.post(pods, pod('waiting', { nodeName: 'n' }));
  await hub.post(pods, pod('dark', { nodeName: 'n' }));
  const cases: [string, number, RegExp][] = [
    ['missing/log', 404, /^pods "missing" not found$/],
    [
      'two/log',
      400,
      /^a container name must be specified for pod two, choose one of: \[a c\] or one of the init containers: \[i\]$/,
    ],
    ['two/log?container=x', 400, /^container x is not valid for pod two$/],
    ['unbound/log', 400, /does not have a host assigned$/],
    ['waiting/log', 400, /is waiting to start: ContainerCreating$/],
    ['dark/log', 503, /is not connected$/],
    ['logged/log?tailLines=-1', 422, /tailLines: Invalid value: -1/],
    ['logged/log?sinceSeconds=0', 422, /sinceSeconds: Invalid value: 0/],
    ['logged/log?sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z', 422, /at most one of/],
    ['logged/log?sinceTime=never', 400, /sinceTime must be a time/],
    ['logged/log?tailLines=x', 400, /tailLines must be an integer/],
    ['logged/log?stream=Other', 422, /stream: Unsupported value/],
  ];
  for (const [path, code, message] of cases)
    t.match(await hub.get(`${pods}/${path}`), { code, body: { kind: 'Status', message } }, path);
});

t.test('a log that is followed ends with its reader', async (t) => {
  const call = request({
    host: '127.0.0.1',
    port: hub.port,
    path: `${pods}/logged/log?follow=true`,
    agent: hub.admin,
  });
  call.end();
  const [response] = await once(call, 'response');
  await once(response, 'data');
  t.equal(signal?.aborted, false);
  call.on('error', () => undefined);
  response.on('error', () => undefined);
  const aborted = signal && !signal.aborted ? once(signal, 'abort') : undefined;
  call.destroy();
  await aborted;
  t.equal(signal?.aborted, true);
});

t.test('binding', async (t) => {
  await hub.post(pods, pod('bound'));
  const bind = (body: object) => hub.post(`${pods}/bound/binding`, body);
  t.match(await bind({ metadata: { name: 'other' }, target: { name: 'n' } }), { code: 400 });
  t.match(await bind({ target: {} }), { code: 422 });
  t.match(await bind({ metadata: { name: 'bound' }, target: { kind: 'Node', name: 'n' } }), {
    code: 201,
    body: { kind: 'Status', status: 'Success' },
  });
  t.equal((await hub.get(`${pods}/bound`)).body.spec.nodeName, 'n');
  t.match(await bind({ target: { name: 'm' } }), {
    code: 409,
    body: { message: /pod bound is already assigned to node "n"/ },
  });
  t.equal((await hub.post(`${pods}/missing/binding`, { target: { name: 'n' } })).code, 404);
});

t.test('binding, as an object of its own', async (t) => {
  await hub.post(pods, pod('bound-too'));
  const bind = (metadata: object) =>
    hub.post('/api/v1/namespaces/default/bindings', { metadata, target: { kind: 'Node', name: 'n' } });
  t.match(await bind({}), { code: 400, body: { message: 'name is required' } });
  t.match(await bind({ name: 'bound-too', namespace: 'other' }), { code: 400 });
  t.match(await bind({ name: 'missing' }), { code: 404, body: { message: 'pods "missing" not found' } });
  t.match(await bind({ name: 'bound-too' }), { code: 201, body: { kind: 'Status', status: 'Success' } });
  t.equal((await hub.get(`${pods}/bound-too`)).body.spec.nodeName, 'n');
  t.match(await hub.get('/api/v1/namespaces/default/bindings'), { code: 405 });
  const { body } = await hub.get('/api/v1');
  const found = body.resources.find(({ name }: { name: string }) => name === 'bindings');
  t.match(found, { singularName: 'binding', namespaced: true, kind: 'Binding', verbs: ['create'] });
});

t.test('graceful deletion', async (t) => {
  const { code, body } = await hub.delete(`${pods}/bound`);
  t.equal(code, 200);
  t.match(body, { kind: 'Pod', metadata: { deletionGracePeriodSeconds: 30, deletionTimestamp: /Z$/ } });
  t.equal((await hub.get(`${pods}/bound`)).code, 200, 'it stays until the device says that it has ended');
  t.match(await hub.delete(`${pods}/bound?gracePeriodSeconds=0`), { code: 200, body: { kind: 'Pod' } });
  t.equal((await hub.get(`${pods}/bound`)).code, 404);
});

t.test('eviction', async (t) => {
  await hub.post(pods, pod('evicted', { nodeName: 'n' }));
  const evict = (body: object) =>
    hub.post(`${pods}/evicted/eviction`, { apiVersion: 'policy/v1', kind: 'Eviction', ...body });
  t.match(await evict({ metadata: { name: 'other' } }), { code: 400 });
  t.match(await evict({ deleteOptions: { dryRun: ['All'] } }), { code: 201 });
  t.equal((await hub.get(`${pods}/evicted`)).body.metadata.deletionTimestamp, undefined);
  t.match(await evict({ metadata: { name: 'evicted' }, deleteOptions: { gracePeriodSeconds: 0 } }), {
    code: 201,
    body: { status: 'Success' },
  });
  t.equal((await hub.get(`${pods}/evicted`)).code, 404);
});

t.test('what is not served is not there', async (t) => {
  t.equal((await hub.get(`${pods}/logged/proxy`)).code, 404);
  t.equal((await hub.post(`${pods}/logged/log`, {})).code, 405);
});

t.test('nothing went wrong inside', async (t) => t.same(hub.errors, []));
