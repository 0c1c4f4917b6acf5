import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { monotonicMs } from '../../../agent/monotonic.ts';
import { DockerRuntime } from '../../../agent/runtime/docker-runtime.ts';
import { EngineWatch } from '../../../agent/runtime/engine-watch.ts';
import { until } from '../../support/until.ts';

t.test('an engine that hangs is told of, and that it answers again', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'hf-'));
  const socket = join(dir, 'engine.sock');
  let hangs = false;
  let asked = 0;
  const server = createServer((_request, response) => {
    asked += 1;
    if (!hangs) response.end('OK');
  }).listen(socket);
  await once(server, 'listening');
  const runtime = new DockerRuntime({ host: `unix://${socket}`, node: 'n', monotonicMs });
  const told: (string | undefined)[] = [];
  const watch = new EngineWatch({
    ping: (signal) => runtime.ping(signal),
    onChange: (error) => told.push(error?.message),
    everyMs: 5,
    withinMs: 200,
  });
  t.teardown(() => {
    watch.close();
    server.close();
    server.closeAllConnections();
    rmSync(dir, { recursive: true });
  });
  const isAskedAgain = (since = asked) => until('it is asked again', () => asked > since + 1);

  watch.followed(undefined);
  watch.start();
  await isAskedAgain();
  t.same(told, [undefined], 'nothing is told twice');
  hangs = true;
  await until('that is told', () => told.length > 1);
  t.match(told[1], /and not answered it for 0\.2 s: what runs goes on/);
  hangs = false;
  await until('so is its end', () => told.length > 2);
  t.equal(told[2], undefined);

  watch.followed(new Error('the socket is not there'));
  await isAskedAgain();
  t.same(told.slice(3), ['the socket is not there'], 'that it is gone is for who follows it to tell');
  hangs = true;
  await until('it is there, and hangs', () => told.length > 4);
  watch.followed(undefined);
  t.equal(told[5], undefined, 'it has told of something');
});
