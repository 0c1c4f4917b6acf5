import { pino } from 'pino';
import t from 'tap';
import { Eviction } from '../../../agent/eviction/eviction.ts';
import { parseThresholds, type Readings } from '../../../agent/eviction/thresholds.ts';
import type { Verdict } from '../../../agent/pod/observation.ts';
import type { Pod } from '../../../agent/pod/pod.ts';
import { until } from '../../support/until.ts';
import { makePod, observed } from '../builders.ts';

const MI = 2 ** 20;

/** A device with pods that a test sets; what is done to it is told in order. */
class World {
  readonly told: string[] = [];
  readonly pods: Pod[] = [];
  readonly writtenMi = new Map<string, number>();
  freeMi = 100;
  unneededMi = 0;
  isEnding = false;
  readonly eviction = new Eviction({
    settings: { thresholds: parseThresholds('imagefs.available<50Mi'), transitionMs: 0 },
    read: async (): Promise<Readings> => ({
      'imagefs.available': { available: this.freeMi * MI, capacity: 1000 * MI },
    }),
    runtime: {
      stats: async () => undefined,
      diskUse: async (id) => (this.writtenMi.get(id) ?? 0) * MI,
    },
    roots: { data: '/none', memory: '/none' },
    pods: {
      livePods: () => this.pods,
      running: () => this.pods.map((pod) => observed(pod, { id: pod.metadata.uid })),
      isEvicting: () => this.isEnding,
      freeImages: async () => {
        this.told.push('images');
        this.freeMi += this.unneededMi;
      },
      evict: (uid, verdict) => this.#evict(uid, verdict),
    },
    monotonicMs: () => performance.now(),
    onPressures: () => this.told.push(`[${[...this.eviction.pressures]}]`),
    onEvent: (reason, message) => this.told.push(`${reason}: ${message}`),
    log: pino({ level: 'silent' }),
  });

  add(uid: string, writtenMi: number, spec: Partial<Pod['spec']> = {}): void {
    this.pods.push(makePod(spec, { uid, name: uid }));
    this.writtenMi.set(uid, writtenMi);
  }

  #evict(uid: string, { reason, freesDisk, graceSeconds }: Verdict): void {
    this.told.push(`${reason} ${uid} ${graceSeconds} ${freesDisk}`);
    this.pods.splice(0, this.pods.length, ...this.pods.filter(({ metadata }) => metadata.uid !== uid));
    this.freeMi += this.writtenMi.get(uid) ?? 0;
  }
}

const MET = 'EvictionThresholdMet: Attempting to reclaim ephemeral-storage';

t.test('images that nobody needs go before any pod', async (t) => {
  const world = new World();
  t.teardown(() => world.eviction.close());
  world.add('big', 500);
  Object.assign(world, { freeMi: 10, unneededMi: 100 });
  world.eviction.start();
  await until('it is over', () => world.told.at(-1) === '[]');
  t.same(world.told, ['[DiskPressure]', MET, 'images', '[]']);
});

t.test('then one pod after the other, until there is room', async (t) => {
  const world = new World();
  t.teardown(() => world.eviction.close());
  for (const [uid, mi] of Object.entries({ small: 20, big: 30, idle: 0, other: 10 })) world.add(uid, mi);
  world.freeMi = 10;
  world.eviction.start();
  await until('it is over', () => world.told.at(-1) === '[]');
  t.same(world.told, ['[DiskPressure]', MET, 'images', 'Evicted big 1 true', 'Evicted small 1 true', '[]']);
});

t.test('nobody is ended for what nobody holds, or while another ends', async (t) => {
  const world = new World();
  t.teardown(() => world.eviction.close());
  world.add('idle', 0);
  Object.assign(world, { freeMi: 10, isEnding: true });
  world.eviction.start();
  await until('it is told', () => world.told.length > 0);
  t.same(world.told, ['[DiskPressure]']);
  world.isEnding = false;
  await until('images were looked for', () => world.told.includes('images'));
  world.freeMi = 60;
  world.eviction.setSettings({ thresholds: parseThresholds('imagefs.available<50Mi'), transitionMs: 0 });
  await until('it is over', () => world.told.at(-1) === '[]');
  t.equal(world.pods.length, 1);
});

t.test('limits that nobody else keeps, whatever the thresholds are', async (t) => {
  const world = new World();
  t.teardown(() => world.eviction.close());
  const limits = { 'ephemeral-storage': '5Mi' };
  world.add('limited', 6, { containers: [{ name: 'main', image: 'x', resources: { limits } }] });
  world.add('free', 60);
  world.eviction.setSettings({ thresholds: [], transitionMs: 0 });
  await until('one is ended', () => world.told.length > 0);
  t.same(world.told, ['Evicted limited 1 true']);
});
