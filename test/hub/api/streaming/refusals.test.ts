import t from 'tap';
import { startHub } from '../test-hub.ts';

/* What is wrong with a request for a stream is answered before any upgrade, with a Status. */

const hub = await startHub(t);
const pods = '/api/v1/namespaces/default/pods';
const one = [{ name: 'a', image: 'b' }];
await hub.post(pods, { metadata: { name: 'placed' }, spec: { nodeName: 'n', containers: one } });
await hub.post(pods, { metadata: { name: 'waiting' }, spec: { containers: one } });

const rows: [string, number, RegExp][] = [
  ['placed/exec?command=ls&stdout=true', 400, /Upgrade request required/],
  ['placed/exec?command=ls', 400, /at least 1 of stdin, stdout, stderr/],
  ['placed/exec?stdout=true', 400, /at least one command/],
  ['placed/exec?command=ls&stdout=true&container=x', 400, /container x is not valid for pod placed/],
  ['waiting/exec?command=ls&stdout=true', 400, /does not have a host assigned/],
  ['none/exec?command=ls&stdout=true', 404, /pods "none" not found/],
  ['placed/attach?stdin=false', 400, /at least 1 of stdin, stdout, stderr/],
  ['placed/attach?stdout=1', 400, /Upgrade request required/],
  ['placed/portforward', 400, /pod is not running. Current status=Pending/],
];

for (const [path, code, message] of rows) {
  t.test(path, async (t) => {
    const answer = await hub.get(`${pods}/${path}`);
    t.equal(answer.code, code);
    t.match((answer.body as { message: string }).message, message);
  });
}

t.test('a client that speaks nothing that is spoken here', async (t) => {
  const upgrade = (headers: Record<string, string>) =>
    hub.get(`${pods}/placed/exec?command=ls&stdout=true`, { headers: { connection: 'Upgrade', ...headers } });
  const webSocket = {
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'MDEyMzQ1Njc4OWFiY2RlZg==',
    'sec-websocket-protocol': 'v9.channel.k8s.io',
  };
  t.equal((await upgrade(webSocket)).code, 400);
  const spdy = await upgrade({ upgrade: 'SPDY/3.1', 'x-stream-protocol-version': 'v9.channel.k8s.io' });
  t.equal(spdy.code, 403);
  t.match(spdy.headers['x-accepted-stream-protocol-versions'], 'v5.channel.k8s.io');
});

t.test('nothing went wrong inside', async (t) => t.same(hub.errors, []));
