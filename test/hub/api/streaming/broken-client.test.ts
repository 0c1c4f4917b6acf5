import { once } from 'node:events';
import t from 'tap';
import { WebSocket } from 'ws';
import type { PodStream, PodStreams } from '../../../../hub/api/pod-streams.ts';
import { startHub } from '../test-hub.ts';

/* A client that sends what nobody agreed on loses its connection, and nobody else anything. */

let close = () => {};
const closed = new Promise<void>((resolve) => {
  close = resolve;
});
/** A process that says nothing and never ends by itself. */
const silent: PodStream = {
  output: (async function* () {
    await closed;
    yield* [];
  })(),
  write: async () => {},
  exitCode: undefined,
  close,
};
const none = () => Promise.reject(new Error('not asked for'));
const streams: PodStreams = {
  exec: async () => silent,
  ...{ attach: none, log: none, connect: none, checkConnected: () => {} },
};
const hub = await startHub(t, { streams });
const pods = '/api/v1/namespaces/default/pods';
const containers = [{ name: 'a', image: 'b' }];
await hub.post(pods, { metadata: { name: 'placed' }, spec: { nodeName: 'n', containers } });

t.test('a message that is longer than any may be', async (t) => {
  const url = `wss://127.0.0.1:${hub.port}${pods}/placed/exec?command=cat&stdin=true&stdout=true`;
  const socket = new WebSocket(url, 'v5.channel.k8s.io', { agent: hub.admin });
  await once(socket, 'open');
  socket.send(Buffer.alloc(5 * 1024 * 1024));
  const [code] = await once(socket, 'close');
  t.equal(code, 1009, 'too big');
  await closed;
  t.equal((await hub.get(`${pods}/placed`)).code, 200);
  t.same(hub.errors, []);
});
