import { createHmac } from 'node:crypto';
import t, { type Test } from 'tap';
import { askPrometheus } from '../../../../hub/controllers/rollout/gate-measurements/ask-prometheus.ts';
import { askWebhook } from '../../../../hub/controllers/rollout/gate-measurements/ask-webhook.ts';
import type { OutsideServer } from '../../../../hub/fleet/measured-gate.ts';
import { secrets } from '../../../../hub/resources/table-of-resources.ts';
import { Cluster, openRegistry } from '../cluster.ts';
import { GateServer, json, type Respond, vector } from './gate-server.ts';

/* Real servers on the loopback, well behaved and not. */

async function begin(t: Test, respond: Respond, more: Parameters<typeof GateServer.start>[2] = {}) {
  const registry = await openRegistry(t);
  const cluster = new Cluster(registry);
  const server = await GateServer.start(t, respond, more);
  const end = new AbortController();
  const asking = {
    registry,
    namespace: 'default',
    servers: new Set([server.url]),
    signal: end.signal,
  };
  const at: OutsideServer = { url: server.url, timeout: '5s', ...(server.ca && { caBundle: server.ca }) };
  const query = (expression: string, gate: Partial<OutsideServer> = {}) =>
    askPrometheus(asking, { ...at, query: 'sum(rate(errors[5m])) > 0', expression, ...gate });
  const post = (gate: object = {}) => askWebhook(asking, { ...at, ...gate }, { wave: { name: 'canary' } });
  const secret = (name: string, data: Record<string, string>, type = 'fleet.holdfast.dev/gate') =>
    cluster.create(secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace: 'default' },
      type,
      data: Object.fromEntries(
        Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
      ),
    });
  return { server, asking, end, query, post, secret };
}

t.test('a query of Prometheus, and what its condition makes of the result', async (t) => {
  const { server, query } = await begin(t, vector());
  const good = 'result.all(sample, sample.value < 0.02)';
  for (const [what, respond, expression, finding] of [
    ['well', vector([{ job: 'a' }, '0.01']), good, { result: 'pass', message: 'holds for 0.01 {job="a"}' }],
    [
      'one of two is not well',
      vector([{}, '0.01'], [{}, '0.5']),
      good,
      { result: 'fail', message: 'does not hold for 0.01, 0.5' },
    ],
    ['infinity', vector([{}, '+Inf']), good, { result: 'fail' }],
    ['no data', vector(), good, { result: 'inconclusive', message: 'the query found no data' }],
    ['0 divided by 0 is no data', vector([{}, 'NaN']), good, { result: 'inconclusive' }],
    [
      'a scalar',
      json({ status: 'success', data: { resultType: 'scalar', result: [1, '3'] } }),
      'result[0].value == 3.0',
      { result: 'pass' },
    ],
    ['by labels', vector([{ job: 'a' }, '1']), 'result[0].labels["job"] == "a"', { result: 'pass' }],
  ] as const) {
    server.respond = respond;
    t.match(await query(expression), finding, what);
  }
  t.match(server.seen[0], { method: 'GET', url: { pathname: '/api/v1/query' } });
  t.equal(server.seen[0]?.url.searchParams.get('query'), 'sum(rate(errors[5m])) > 0');
  t.equal(server.seen[0]?.headers.authorization, undefined);
  await query(good, { url: `${server.url}/prometheus/` });
  t.equal(server.seen.at(-1)?.url.pathname, '/prometheus/api/v1/query');
});

const endless: Respond = (_, response) => {
  const more = () => {
    while (!response.destroyed && response.write('x'.repeat(65_536)));
  };
  response.on('drain', more);
  more();
};

t.test('who does not answer as Prometheus does, has not answered', async (t) => {
  const { server, query } = await begin(t, vector());
  const elsewhere = await GateServer.start(t, vector([{}, '0']));
  for (const [what, respond, error] of [
    ['an error', json({ status: 'error', error: 'bad query' }, 400), /status 400: bad query/],
    ['a broken server', json('oops', 503), /status 503/],
    ['no JSON', (_, response) => response.end('<html>'), /no result of a query/],
    ['another shape', json({ status: 'success', data: [] }), /no result of a query/],
    [
      'a matrix',
      json({ status: 'success', data: { resultType: 'matrix', result: [] } }),
      /vector or a scalar as its result, has "matrix"/,
    ],
    ['a value that is none', vector([{}, 'many']), /no sample/],
    [
      'a sample that is none',
      json({ status: 'success', data: { resultType: 'vector', result: [7] } }),
      /no sample/,
    ],
    [
      'a redirect',
      (_, response) => response.writeHead(302, { Location: `${elsewhere.url}/api/v1/query` }).end(),
      /status 302/,
    ],
    ['an answer without end', endless, /more than 1048576 bytes/],
    [
      'an answer that is cut off',
      (_, response) => response.writeHead(200).write('{', () => response.destroy()),
      /aborted|terminated|hang up/,
    ],
    ['no HTTP', (_, response) => void response.socket?.end('SSH-2.0\r\n'), /HTTP|Parse Error/],
  ] as const satisfies readonly (readonly [string, Respond, RegExp])[]) {
    server.respond = respond;
    await t.rejects(query('true'), error, what);
  }
  t.equal(elsewhere.seen.length, 0, 'nobody was led elsewhere');
  server.respond = vector([{}, '0']);
  await t.rejects(query('result[5].value > 0.0'), /index/i, 'a condition on what is not there');
});

t.test('who is silent is not waited for longer than was said', async (t) => {
  const { server, query, end } = await begin(t, () => undefined);
  await t.rejects(query('true', { timeout: '50ms' }), /did not answer within 50 ms/);
  server.respond = (_, response) => void response.writeHead(200).write('{');
  await t.rejects(query('true', { timeout: '50ms' }), /did not answer within 50 ms/);
  const waits = query('true', { timeout: '60s' });
  end.abort(new Error('nobody waits'));
  await t.rejects(waits);
});

t.test('only servers that the hub may ask, as themselves', async (t) => {
  const { server, query, asking } = await begin(t, vector([{}, '0']));
  await t.rejects(query('true', { url: server.url.replace('127.0.0.1', 'localhost') }), /--gate-servers/);
  await t.rejects(query('true', { url: server.url.replace('https', 'http') }), /--gate-servers/);
  t.equal(server.seen.length, 0);
  const { url, query: gate } = { url: server.url, query: 'up' };
  const unknown = askPrometheus(asking, { url, query: gate, expression: 'true', timeout: '5s' });
  await t.rejects(unknown, /self.signed|unable to (get|verify)/i, 'its authority must be known');
  const other = await begin(t, vector([{}, '0']), { host: 'other.example' });
  await t.rejects(other.query('true'), /altnames|does not match/i, 'and its name must be its own');
  t.equal(other.server.seen.length, 0);
});

t.test('a token comes from a Secret that is meant for it, and goes by TLS only', async (t) => {
  const { server, query, secret } = await begin(t, vector([{}, '0']));
  const tokenSecret = { name: 'token', key: 'token' };
  await t.rejects(query('true', { tokenSecret }), /Secret "token" is not there/);
  await secret('token', { token: 'hunter2\n', lines: 'a\nb' });
  await secret('other', { token: 'hunter3' }, 'Opaque');
  await t.rejects(query('true', { tokenSecret: { name: 'token', key: 'x' } }), /has no key "x"/);
  await t.rejects(query('true', { tokenSecret: { name: 'token', key: 'lines' } }), /one line of text/);
  const opaque = await query('true', { tokenSecret: { name: 'other', key: 'token' } }).catch(String);
  t.match(opaque, /must be of type fleet\.holdfast\.dev\/gate, is of type Opaque/);
  t.notMatch(opaque, 'hunter3');
  t.equal(server.seen.length, 0);
  await query('true', { tokenSecret });
  t.equal(server.seen[0]?.headers.authorization, 'Bearer hunter2');
  const plain = await begin(t, vector([{}, '0']), { plain: true });
  await plain.secret('token', { token: 'hunter2' });
  t.match(await plain.query('true'), { result: 'pass' });
  await t.rejects(plain.query('true', { tokenSecret }), /not sent by plain HTTP/);
  t.equal(plain.server.seen.length, 1);
});

t.test('a webhook is told of the wave, signed, and says what it thinks', async (t) => {
  const { server, post, secret } = await begin(t, json({ result: 'pass' }));
  await secret('key', { key: 'k1' });
  t.same(await post({ signingSecret: { name: 'key', key: 'key' } }), {
    result: 'pass',
    message: 'it says pass',
  });
  const [seen] = server.seen;
  t.match(seen, { method: 'POST', headers: { 'content-type': 'application/json' } });
  t.same(JSON.parse(seen?.body ?? ''), { wave: { name: 'canary' } });
  const hmac = createHmac('sha256', 'k1')
    .update(seen?.body ?? '')
    .digest('hex');
  t.equal(seen?.headers['x-holdfast-signature'], `sha256=${hmac}`);
  server.respond = json({ result: 'fail', message: 'ticket 17 is open', more: 1 });
  t.same(await post(), { result: 'fail', message: 'ticket 17 is open' });
  t.equal(server.seen[1]?.headers['x-holdfast-signature'], undefined);
  for (const [what, respond, error] of [
    ['nothing', (_, response) => response.end(), /object of JSON/],
    ['a list', json([]), /object of JSON/],
    ['another word', json({ result: 'ok' }), /"result" as one of pass, fail, inconclusive/],
    ['not found', json({ result: 'pass' }, 404), /status 404/],
    ['a redirect', (_, response) => response.writeHead(307, { Location: server.url }).end(), /status 307/],
    ['an answer without end', endless, /more than 1048576 bytes/],
  ] as const satisfies readonly (readonly [string, Respond, RegExp])[]) {
    server.respond = respond;
    await t.rejects(post(), error, what);
  }
});
