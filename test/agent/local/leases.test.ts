import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { readConfig, readWords } from '../../../agent/config.ts';
import { leaseCommand } from '../../../agent/local/lease-command.ts';
import { consentSocketPath, type LocalApi, serveLocally, socketPath } from '../../../agent/local/server.ts';
import type { LocalStatus } from '../../../agent/local/status.ts';
import { MOST_LEASES } from '../../../agent/pod/lease.ts';
import { Leases } from '../../../agent/reconcile/leases.ts';
import { AgentState } from '../../../agent/state/agent-state.ts';

/** The agent's sockets, and what is behind them. */
async function served(t: Test) {
  const runDir = mkdtempSync(join(tmpdir(), 'hf-run-')); // a socket's path must be short
  const state = AgentState.inMemory();
  const moment = () => ({ bootId: 'a', uptimeMs: 0, wallMs: Date.parse('2026-01-01T00:00:00Z') });
  const log = pino({ level: 'silent' });
  const leases = new Leases({ state, moment, log, onChange: () => {} });
  const local: LocalApi = {
    status: () => ({ node: 'n' }) as LocalStatus,
    leases: {
      hold: (request) => leases.hold(request),
      release: (name) => leases.release(name),
      list: () => leases.list(),
      hasPod: (pod) => pod === 'default/app-1',
    },
  };
  const close = await serveLocally(runDir, local);
  t.teardown(() => {
    close();
    state.close();
    rmSync(runDir, { recursive: true });
  });
  return { runDir, state, leases };
}

function ask(
  socketPath: string,
  method: string,
  path: string,
  body = '',
): Promise<{ code: number; text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, method, path }, async (response) => {
      let text = '';
      for await (const chunk of response) text += chunk;
      resolve({ code: response.statusCode ?? 0, text });
    });
    asked.once('error', reject);
    asked.end(body);
  });
}

t.test('taken, listed and given back, on either socket', async (t) => {
  const { runDir } = await served(t);
  for (const socket of [socketPath(runDir), consentSocketPath(runDir)]) {
    const told = {
      name: 'printing',
      seconds: 600,
      reason: 'a page',
      pod: 'default/app-1',
      until: '2026-01-01T00:10:00Z',
    };
    const body = JSON.stringify({ seconds: 600, reason: 'a page', pod: 'default/app-1' });
    const put = await ask(socket, 'PUT', '/v1/leases/printing', body);
    t.same([put.code, JSON.parse(put.text)], [200, told]);
    t.same(JSON.parse((await ask(socket, 'GET', '/v1/leases')).text), { leases: [told] });
    t.same(await ask(socket, 'DELETE', '/v1/leases/printing'), { code: 204, text: '' });
    t.equal((await ask(socket, 'DELETE', '/v1/leases/printing')).code, 404);
  }
});

t.test('what is wrong is answered with what was wanted', async (t) => {
  const { runDir, leases, state } = await served(t);
  const socket = consentSocketPath(runDir);
  const good = JSON.stringify({ seconds: 60 });
  for (const [method, path, body, code, error] of [
    ['PUT', '/v1/leases/a', '{', 400, /a JSON object/],
    ['PUT', '/v1/leases/a', '{"seconds": -1}', 400, /seconds must be/],
    ['PUT', '/v1/leases/A', good, 400, /the name must be/],
    ['PUT', '/v1/leases/a', `{"seconds": 60, "reason": "${'x'.repeat(5_000)}"}`, 413, /may have 4096 bytes/],
    ['PUT', '/v1/leases/a', '{"seconds": 60, "pod": "default/app-2"}', 404, /has no pod default\/app-2/],
    ['PUT', '/v1/leases/a/b', good, 404, /this socket serves GET \/v1\/leases, PUT and DELETE/],
    ['POST', '/v1/leases', good, 404, /this socket serves/],
    ['GET', '/v1/status', '', 404, /this socket serves/],
    ['DELETE', '/v1/leases/a', '', 404, /no lease a stands/],
  ] as const) {
    const answer = await ask(socket, method, path, body);
    t.equal(answer.code, code, `${method} ${path}`);
    t.match((JSON.parse(answer.text) as { error: string }).error, error);
  }
  t.same(leases.list(), []);
  for (let index = 0; index < MOST_LEASES; index += 1)
    leases.hold({ name: `l${index}`, seconds: 60, reason: '' });
  t.match(await ask(socket, 'PUT', '/v1/leases/more', good), { code: 429, text: /100 leases stand/ });
  state.saveLease = () => {
    throw new Error('database or disk is full');
  };
  t.match(await ask(socket, 'PUT', '/v1/leases/l1', good), { code: 507, text: /disk is full/ });
});

t.test('who may: root on the device, and whoever was given the directory', async (t) => {
  const { runDir } = await served(t);
  const mode = (path: string) => statSync(path).mode & 0o777;
  t.equal(mode(runDir), 0o700);
  t.equal(mode(socketPath(runDir)), 0o600);
  t.equal(mode(join(runDir, 'consent')), 0o755);
  t.equal(mode(consentSocketPath(runDir)), 0o666);
});

t.test('who says nothing is not waited for', { timeout: 60_000 }, async (t) => {
  const { runDir } = await served(t);
  const socket = connect(consentSocketPath(runDir));
  socket.write('PUT /v1/leases/a HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{');
  socket.resume();
  await new Promise((resolve) => socket.once('close', resolve));
  t.equal((await ask(consentSocketPath(runDir), 'GET', '/v1/leases')).code, 200);
});

t.test('the command', async (t) => {
  const { runDir } = await served(t);
  const flags = ['for', 'pod', 'reason'];
  const run = async (...args: string[]) => {
    const { output } = await readConfig(args, {}, flags);
    return leaseCommand(runDir, readWords(args, flags), output);
  };
  const held = await run('hold', 'maintenance', '--for', '1h30m', '--reason', 'a new fan');
  t.equal(held, 'lease maintenance stands until 2026-01-01T01:30:00Z');
  t.match(
    JSON.parse(await run('hold', 'own', '--for', '90s', '--pod', 'default/app-1', '--output', 'json')),
    {
      seconds: 90,
      pod: 'default/app-1',
    },
  );
  t.equal(
    await run('list'),
    [
      'NAME          POD             UNTIL                  REASON',
      'maintenance   (all)           2026-01-01T01:30:00Z   a new fan',
      'own           default/app-1   2026-01-01T00:01:30Z',
    ].join('\n'),
  );
  t.equal(await run('release', 'own'), 'lease own is given back');
  t.equal((JSON.parse(await run('list', '--output', 'json')) as object[]).length, 1);
  for (const [args, error] of [
    [['release', 'own'], /no lease own stands/],
    [['hold', 'a', '--for', '48h'], /seconds must be a whole number from 1 to 86400/],
    [['hold', 'a', '--for', 'soon'], /--for must be a duration such as 90s, 10m or 1h30m, is "soon"/],
    [['hold', 'a'], /--for must be/],
    [['hold'], /say "lease hold NAME/],
    [['take', 'a'], /say "lease hold NAME/],
    [['release', 'a', 'b'], /"b" is too much/],
    [[], /say "lease hold NAME/],
  ] as const)
    await t.rejects(run(...args), error, args.join(' '));
  await t.rejects(
    leaseCommand(join(runDir, 'none'), { words: ['list'], values: {} }, 'text'),
    /no agent answers on/,
  );
});
