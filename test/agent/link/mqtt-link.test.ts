import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Aedes } from 'aedes';
import { connectAsync } from 'mqtt';
import t from 'tap';
import '../../../agent/link/mqtt-link.ts';

const LENGTHS = 500;
const MIB = 2 ** 20;

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;
/** What the first finds is given back by another thread, which the second waits for. */
const collect = () => {
  gc();
  gc();
};

t.test('messages of many lengths leave nothing behind', async (t) => {
  const broker = await Aedes.createBroker();
  const server = createServer(broker.handle).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = await connectAsync({ host: '127.0.0.1', port, writeCache: false });
  t.teardown(async () => {
    await client.endAsync();
    broker.close();
    server.close();
  });
  const publish = (length: number) => client.publishAsync('up', Buffer.alloc(length), { qos: 1 });
  await publish(0);
  collect();
  const { arrayBuffers: before } = process.memoryUsage();
  for (let length = 1; length <= LENGTHS; length += 1) {
    await publish(length);
    // As everything else of a program does meanwhile: what it takes is given back.
    for (let count = 0; count < 16; count += 1) Buffer.allocUnsafe(4096);
  }
  collect();
  const held = (process.memoryUsage().arrayBuffers - before) / MIB;
  t.ok(held < 1, `${held.toFixed(1)} MiB are held`);
});
