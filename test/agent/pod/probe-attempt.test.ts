import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { attempt, type ProbeAction } from '../../../agent/pod/probe-attempt.ts';
import { RuntimeError } from '../../../agent/runtime/runtime.ts';

t.test('one try: what failed is told', async (t) => {
  const server = createServer((request, response) => {
    if (request.url === '/silent') return;
    const isKnown = request.headers['x-key'] === 'k';
    response.writeHead(request.url === '/healthz' && isKnown ? 204 : 503).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  const target = {
    id: 'c1',
    container: { name: 'main', ports: [{ name: 'web', containerPort: port }] },
    ip: '127.0.0.1',
  };
  const runtime = {
    exec: async (id: string, [command = '']: readonly string[]) => {
      if (command === 'gone') throw new Error(`${id} is not running`);
      if (command === 'hung') throw new RuntimeError('engine-down', 'the engine did not answer in time');
      return { exitCode: command === 'true' ? 0 : 3, output: `${'x'.repeat(500)}\n` };
    },
  };
  const tryOnce = (action: ProbeAction, timeoutMs = 5_000) =>
    attempt(action, target, runtime, timeoutMs, new AbortController().signal);
  const httpHeaders = [{ name: 'X-Key', value: 'k' }];
  for (const [what, action, failure] of [
    ['a command', { exec: { command: ['true'] } }, undefined],
    ['a command that fails', { exec: { command: ['false'] } }, /exit code 3: x{200}$/],
    ['a container that is gone', { exec: { command: ['gone'] } }, /c1 is not running/],
    ['a port by its name', { httpGet: { port: 'web', path: '/healthz', httpHeaders } }, undefined],
    ['another answer', { httpGet: { port, path: '/' } }, /it answered with status 503/],
    ['nobody there', { httpGet: { port: 1, path: '/' } }, /ECONNREFUSED/],
    ['an unknown name', { httpGet: { port: 'metrics' } }, /^couldn't find port: metrics$/],
    ['an unknown name', { tcpSocket: { port: 'metrics' } }, /^couldn't find port: metrics$/],
    ['a port that is open', { tcpSocket: { port } }, undefined],
    ['nothing', {}, /nothing to try/],
  ] as const) {
    const found = await tryOnce(action as unknown as ProbeAction);
    if (failure) t.match(found, failure, what);
    else t.equal(found, undefined, what);
  }
  t.match(await tryOnce({ httpGet: { port, path: '/silent' } }, 50), 'it took longer than 50 ms');
  const hung = tryOnce({ exec: { command: ['hung'] } });
  await t.rejects(hung, new RuntimeError('engine-down', 'the engine did not answer in time')); // that is no failure
});
