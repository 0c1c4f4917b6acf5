import t from 'tap';
import { type ContainerStats, RuntimeError } from '../../../agent/runtime/runtime.ts';
import { UsageMeter } from '../../../agent/usage/usage-meter.ts';
import { makePod, observed } from '../builders.ts';

const monotonicMs = () => performance.now();
const forever = new AbortController().signal;

/** An engine whose containers use half a CPU each. */
class Containers {
  asked: string[] = [];
  atOnce = 0;
  mostAtOnce = 0;
  readonly gone = new Set<string>();
  readonly names: string[];

  constructor(names: readonly string[]) {
    this.names = [...names];
  }

  running() {
    return this.names.map((name) => observed(makePod(), { id: name, container: name }));
  }

  async stats(id: string): Promise<ContainerStats | undefined> {
    this.asked.push(id);
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.atOnce);
    await new Promise((resolve) => setImmediate(resolve));
    this.atOnce -= 1;
    if (id === 'broken') throw new RuntimeError('engine-down', 'the engine does not answer');
    if (this.gone.has(id)) return undefined;
    return { cpuNanoseconds: performance.now() * 5e5, workingSetBytes: 10, processes: 1 };
  }

  meter(): UsageMeter {
    return new UsageMeter({ runtime: this, running: () => this.running(), monotonicMs });
  }
}

t.test('the first question looks twice, the next goes on from there', async (t) => {
  const containers = new Containers(['a', 'b']);
  const meter = containers.meter();
  const begunMs = performance.now();
  const first = await meter.measure(forever);
  const tookMs = performance.now() - begunMs;
  t.same(containers.asked, ['a', 'b', 'a', 'b']);
  t.same(
    first.containers.map(({ podUid, container }) => [podUid, container]),
    [
      ['uid-web', 'a'],
      ['uid-web', 'b'],
    ],
  );
  for (const { usage } of first.containers) {
    t.ok(Math.abs(usage.cpuNanocores - 5e8) < 5e7, `${usage.cpuNanocores} is half a CPU`);
    t.ok(usage.windowMs >= 950 && usage.windowMs <= tookMs, `${usage.windowMs} of ${tookMs} ms`);
  }
  t.ok((first.device?.workingSetBytes ?? 0) > 2 ** 20, 'the device itself');
  t.ok((first.device?.windowMs ?? 0) >= 1_000);

  containers.asked = [];
  containers.names.shift();
  const second = await meter.measure(forever);
  t.same(containers.asked, ['b'], 'once, and not what has gone');
  t.same(
    second.containers.map(({ container }) => container),
    ['b'],
  );

  containers.asked = [];
  containers.names.push('c');
  const third = await meter.measure(forever);
  t.same(containers.asked, ['c', 'b', 'c'], 'what is new is looked at twice');
  t.same(
    third.containers.map(({ container }) => container),
    ['b', 'c'],
  );
  t.ok((third.containers[0]?.usage.windowMs ?? 0) > (third.containers[1]?.usage.windowMs ?? 0));
});

t.test('what can not be asked is left out, and not all are asked at once', async (t) => {
  const many = Array.from({ length: 80 }, (_, index) => `c${index}`);
  const containers = new Containers([...many, 'broken', 'ending']);
  containers.gone.add('ending');
  const { containers: found } = await containers.meter().measure(forever);
  t.same(
    found.map(({ container }) => container),
    many,
  );
  t.equal(containers.mostAtOnce, 64);
});

t.test('who wants to know no more is not waited for', async (t) => {
  const containers = new Containers(['a']);
  const gone = new AbortController();
  const measured = containers.meter().measure(gone.signal);
  gone.abort(new Error('the hub ended the stream'));
  await t.rejects(measured, /the hub ended the stream/);
});
