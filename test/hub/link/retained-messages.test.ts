import { Aedes, type AedesPublishPacket } from 'aedes';
import t from 'tap';
import { indexRetainedMessages, type RetainedMessages } from '../../../hub/link/retained-messages.ts';

const packet = (topic: string, payload: string) =>
  ({ cmd: 'publish', topic, payload: Buffer.from(payload), qos: 1, retain: true }) as AedesPublishPacket;

t.test('retained messages are found by topic and by pattern, the newest of each', async (t) => {
  const aedes = await Aedes.createBroker();
  t.teardown(() => new Promise<void>((resolve) => aedes.close(resolve)));
  const { persistence } = aedes as unknown as { persistence: RetainedMessages };
  indexRetainedMessages(persistence);
  const found = async (...patterns: string[]) => {
    const packets: string[] = [];
    for await (const each of persistence.createRetainedStreamCombi(patterns)) {
      const { topic, payload } = each as AedesPublishPacket;
      packets.push(`${topic}=${payload}`);
    }
    return packets.sort();
  };
  const published = [packet('a/desired', '1'), packet('b/desired', '1'), packet('a/desired', '2')];
  for (const each of published) await persistence.storeRetained(each);
  const rows: [string[], string[]][] = [
    [['a/desired'], ['a/desired=2']],
    [
      ['a/desired', 'b/desired'],
      ['a/desired=2', 'b/desired=1'],
    ],
    [['a/down', 'a'], []],
    [['+/desired'], ['a/desired=2', 'b/desired=1']],
    [['a/#'], ['a/desired=2']],
  ];
  for (const [patterns, expected] of rows) t.same(await found(...patterns), expected, patterns.join(' '));
  await persistence.storeRetained(packet('a/desired', ''));
  t.same(await found('a/desired'), [], 'an empty one removes it');
});
