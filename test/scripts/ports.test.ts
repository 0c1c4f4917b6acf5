import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { choosePorts, type Ports } from '../../scripts/ports.ts';

/** A port in use until the test ends. */
async function takenPort(t: Test): Promise<number> {
  const server = createServer();
  t.teardown(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** Three ports that were free a moment ago. */
async function freePorts(t: Test): Promise<Ports> {
  const servers = [createServer(), createServer(), createServer()];
  const ports: number[] = [];
  for (const server of servers) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ports.push((server.address() as AddressInfo).port);
  }
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  const [api = 0, grpc = 0, mqtt = 0] = ports;
  t.equal(new Set(ports).size, 3);
  return { api, grpc, mqtt };
}

t.test('the defaults when they are free', async (t) => {
  const file = join(t.testdir(), 'ports.json');
  const defaults = await freePorts(t);
  t.same(await choosePorts(file, defaults), defaults);
  t.same(JSON.parse(readFileSync(file, 'utf8')), defaults, 'and they are remembered');
});

t.test('a free one for each that is taken', async (t) => {
  const file = join(t.testdir(), 'ports.json');
  const defaults = { ...(await freePorts(t)), grpc: await takenPort(t) };
  const { api, grpc, mqtt } = await choosePorts(file, defaults);
  t.same({ api, mqtt }, { api: defaults.api, mqtt: defaults.mqtt });
  t.not(grpc, defaults.grpc);
  t.ok(grpc > 0);
});

t.test('remembered ports stay, for agents know them', async (t) => {
  const known = await freePorts(t);
  const file = join(t.testdir({ 'ports.json': JSON.stringify(known) }), 'ports.json');
  t.same(await choosePorts(file, await freePorts(t)), known);
});

t.test('a remembered port that another program uses is an error that says what to do', async (t) => {
  const known = { ...(await freePorts(t)), mqtt: await takenPort(t) };
  const file = join(t.testdir({ 'ports.json': JSON.stringify(known) }), 'ports.json');
  await t.rejects(choosePorts(file), { message: new RegExp(`port ${known.mqtt} .*npm run clean`) });
});

t.test('a file that was cut off counts as none', async (t) => {
  const file = join(t.testdir(), 'ports.json');
  writeFileSync(file, '{"api":64');
  const defaults = await freePorts(t);
  t.same(await choosePorts(file, defaults), defaults);
});
