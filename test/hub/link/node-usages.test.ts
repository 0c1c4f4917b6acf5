import { create } from '@bufbuild/protobuf';
import t from 'tap';
import { NodeUsages, nodeUsageOf } from '../../../hub/link/node-usages.ts';
import { type NodeSession, Sessions } from '../../../hub/link/sessions.ts';
import { type NodeStats, NodeStatsSchema } from '../../../proto/gen/holdfast/v1/link_pb.ts';
import { silent } from '../controllers/cluster.ts';

const usage = (cpuNanocores: bigint) => ({ cpuNanocores, windowMs: 1_000, workingSetBytes: 7n });
const stats = (cpu: bigint): NodeStats => create(NodeStatsSchema, { device: usage(cpu) });

const session = (node: string): NodeSession => ({
  node,
  connectionId: node,
  transport: 'grpc',
  send: () => {},
  offer: () => {},
  close: () => {},
});

/** Devices that answer with the number of the question, when `answers` lets them. */
function fleet(nodes: readonly string[], { freshMs = 60_000, timeoutMs = 60_000 } = {}) {
  const sessions = new Sessions();
  for (const node of nodes) sessions.open(session(node));
  const asked: string[] = [];
  let answers: (node: string, signal: AbortSignal) => Promise<void> = () => Promise.resolve();
  const usages = new NodeUsages({
    objectUid: (_, podUid) => podUid,
    sessions,
    ask: async (node, signal) => {
      const nth = BigInt(asked.push(node));
      await answers(node, signal);
      return stats(nth);
    },
    now: () => 5,
    log: silent,
    freshMs,
    timeoutMs,
  });
  const cpu = async (node: string, sinceMs?: number) =>
    (await usages.of(node, sinceMs))?.device?.cpuNanocores;
  return {
    sessions,
    asked,
    cpu,
    answer: (how: typeof answers) => {
      answers = how;
    },
  };
}

t.test('questions for the same node share an answer while it is fresh', async (t) => {
  const { asked, cpu } = fleet(['a', 'b']);
  t.same(await Promise.all([cpu('a'), cpu('a'), cpu('b')]), [1n, 1n, 2n]);
  t.equal(await cpu('a'), 1n);
  t.same(asked, ['a', 'b']);
});

t.test('what is no longer fresh is asked anew', async (t) => {
  const { asked, cpu } = fleet(['a'], { freshMs: 1 });
  await cpu('a');
  while ((await cpu('a')) === 1n) await new Promise((resolve) => setImmediate(resolve));
  t.ok(asked.length > 1);
});

t.test('who must know how it is since something happened is not told what was before', async (t) => {
  const { asked, cpu } = fleet(['a']);
  t.equal(await cpu('a'), 1n);
  t.equal(await cpu('a', 5), 1n, 'asked then');
  t.equal(await cpu('a', 6), 2n);
  t.equal(await cpu('a'), 2n);
  t.same(asked, ['a', 'a']);
});

t.test('a node that is not connected is not asked, and a new connection is', async (t) => {
  const { sessions, asked, cpu } = fleet(['a']);
  t.equal(await cpu('none'), undefined);
  t.equal(await cpu('a'), 1n);
  sessions.end('a', 'a');
  t.equal(await cpu('a'), undefined, 'what it said before counts no more');
  sessions.open(session('a'));
  t.equal(await cpu('a'), 2n);
  t.same(asked, ['a', 'a']);
});

t.test('a node that fails or is too late has no usage, and holds up no other', async (t) => {
  const { cpu, answer } = fleet(['broken', 'late', 'good'], { timeoutMs: 5 });
  answer((node, signal) => {
    if (node === 'broken') return Promise.reject(new Error('this agent does not know this kind of stream'));
    if (node === 'good') return Promise.resolve();
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  });
  const hold = setTimeout(() => {}, 10_000); // the deadline's own timer keeps no process alive
  t.same(await Promise.all([cpu('broken'), cpu('late'), cpu('good')]), [undefined, undefined, 3n]);
  clearTimeout(hold);
});

t.test('a large fleet is asked in parts', async (t) => {
  const nodes = Array.from({ length: 600 }, (_, index) => `n${index}`);
  const { cpu, answer } = fleet(nodes);
  let [waiting, most] = [0, 0];
  answer(async () => {
    most = Math.max(most, ++waiting);
    await new Promise((resolve) => setImmediate(resolve));
    waiting -= 1;
  });
  const found = await Promise.all(nodes.map(cpu));
  t.equal(found.filter((each) => each !== undefined).length, 600);
  t.equal(most, 256);
});

t.test("a device's answer", async (t) => {
  const message = create(NodeStatsSchema, {
    device: usage(9n),
    containers: [
      { podUid: 'one', container: 'a', usage: usage(1n) },
      { podUid: 'two', container: 'a', usage: usage(2n) },
      { podUid: 'one', container: 'b', usage: usage(3n) },
      { podUid: 'one', container: 'incomplete' },
    ],
  });
  const found = nodeUsageOf(message, 5);
  t.match(found, { atMs: 5, device: usage(9n) });
  t.match(found.pods.get('one'), [
    { name: 'a', usage: usage(1n) },
    { name: 'b', usage: usage(3n) },
  ]);
  t.equal(found.pods.get('two')?.length, 1);
  t.equal(nodeUsageOf(create(NodeStatsSchema), 5).device, undefined);
});
