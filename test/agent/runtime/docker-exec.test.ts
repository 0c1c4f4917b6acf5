import { Agent, createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { runCommand } from '../../../agent/runtime/docker-exec.ts';
import { Stop } from '../../../agent/runtime/stop-signal.ts';

type Answer = (response: ServerResponse) => void;

const says =
  (value: object): Answer =>
  (response) =>
    void response.end(JSON.stringify(value));
const hangs: Answer = () => {};
/** The answer has begun, as an engine's does when it has started the command. */
const begins: Answer = (response) => response.flushHeaders();
const running = says({ Running: true, ExitCode: null, Pid: 0 });
const over = says({ Running: false, ExitCode: 0, Pid: 0 });

/** An engine that stops answering at a given point: the real one can not be stopped there to the call. */
async function engineThat(t: Test, answers: { make?: Answer; start?: Answer; inspect?: Answer }) {
  const { make = says({ Id: 'e1' }), start = (response: ServerResponse) => void response.end() } = answers;
  const { inspect = over } = answers;
  const server = createServer(({ url = '', method }: IncomingMessage, response) => {
    if (method === 'GET') inspect(response);
    else if (url.endsWith('/start')) start(response);
    else make(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const agent = new Agent();
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return { host: '127.0.0.1', port, agent };
}

const late = new Error('it took too long');

t.test('a command that is given up: whose fault that is', async (t) => {
  for (const [what, answers, wanted] of [
    ['the engine does not take it', { make: hangs }, /^exec in container: the engine did not answer in time/],
    ['the engine does not start it', { start: hangs }, /^start exec: the engine did not answer in time/],
    ['it runs still', { start: begins, inspect: running }, /^it took too long$/],
    [
      'it had ended',
      { start: begins, inspect: over },
      /^exec in container: the engine did not tell of its end/,
    ],
    ['nobody says whether it runs', { start: begins, inspect: hangs }, /the engine did not tell of its end/],
    ['its output ended, it did not', { inspect: running }, /^it took too long$/],
    ['its output ended, and the engine hangs', { inspect: hangs }, /the engine did not tell of its end/],
  ] as const)
    await t.test(what, async (t) => {
      const engine = await engineThat(t, answers);
      const signal = new Stop();
      const result = runCommand(engine, 'c1', ['true'], signal);
      setTimeout(() => signal.abort(late), 100);
      const error = await result.then(
        () => t.fail('it was given up'),
        (error: Error & { kind?: string }) => error,
      );
      t.match(error, { message: wanted });
      t.equal((error as { kind?: string }).kind, wanted.test(late.message) ? undefined : 'engine-down');
    });
});

t.test('who waits is told when the engine starts it', async (t) => {
  const asked = Promise.withResolvers<ServerResponse>();
  const engine = await engineThat(t, { start: asked.resolve });
  const started = Promise.withResolvers<void>();
  let isStarted = false;
  const result = runCommand(engine, 'c1', ['true'], new Stop(), () => {
    isStarted = true;
    started.resolve();
  });
  const response = await asked.promise;
  t.notOk(isStarted, 'it is not, before the engine answers');
  response.flushHeaders();
  await started.promise;
  response.end();
  t.match(await result, { exitCode: 0, output: '' });
});
