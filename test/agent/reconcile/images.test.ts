import t from 'tap';
import type { Failure } from '../../../agent/pod/observation.ts';
import { Images } from '../../../agent/reconcile/images.ts';
import { type EngineDisk, type FoundImage, RuntimeError } from '../../../agent/runtime/runtime.ts';
import { until } from '../../support/until.ts';

const DIGEST = `sha256:${'1'.repeat(64)}`;
const FOUND: FoundImage = { id: 'sha256:id', digests: [`app@${DIGEST}`], sizeBytes: 7 };

/** Images over an engine that does what a test says. */
function engineWith(given: {
  found?: FoundImage | undefined;
  pulled?: FoundImage | undefined;
  disk?: EngineDisk;
  refusal?: RuntimeError | undefined;
}) {
  const world = { ...given, nowMs: 1_000, pulls: 0 };
  let ended: ((failure: Failure | undefined) => void) | undefined;
  const images = new Images({
    runtime: {
      findImage: async () => world.found,
      disk: async () => world.disk,
      pull: async () => {
        world.pulls += 1;
        if (world.refusal) throw world.refusal;
        world.found = world.pulled;
      },
      removeImage: async () => {
        world.found = undefined;
      },
    },
    pullsAtOnce: 2,
    monotonicMs: () => world.nowMs,
    onPulled: (_, { failure }) => ended?.(failure),
  });
  const pulled = (image: string, minFreeDisk?: string) =>
    new Promise<Failure | undefined>((resolve) => {
      ended = resolve;
      images.pull(image, minFreeDisk);
    });
  return { world, images, pulled };
}

const FULL = { path: '/data', freeBytes: 10, totalBytes: 1_000 };

t.test('what was downloaded is there, with its digest', async (t) => {
  const { images, pulled } = engineWith({ pulled: FOUND });
  await images.check('app:1');
  t.match(images.get('app:1'), { absent: true, present: false, digest: undefined });
  t.equal(await pulled('app:1', '5%'), undefined, 'of a disk that nobody knows nothing is asked');
  t.match(images.get('app:1'), { absent: false, present: true, digest: DIGEST, triedAtMs: 1_000 });
});

t.test('another digest than the name says is not it', async (t) => {
  const image = `app@sha256:${'2'.repeat(64)}`;
  const { images, pulled } = engineWith({ found: FOUND, pulled: FOUND });
  await images.check(image);
  t.match(images.get(image), { absent: true, present: false });
  t.match(await pulled(image), {
    reason: 'DigestMismatch',
    message: /has another digest on this device/,
    count: 1,
  });
  t.equal(images.get(image).present, false);
});

t.test('what a pull leaves nothing of has failed', async (t) => {
  const { pulled } = engineWith({ pulled: undefined });
  t.match(await pulled('app:1'), { reason: 'DigestMismatch', message: /does not have it/ });
});

t.test('nothing is downloaded to a disk that is too full, until there is space', async (t) => {
  const { world, images, pulled } = engineWith({ pulled: FOUND, disk: FULL });
  await images.check('app:1');
  t.match(await pulled('app:1', '5%'), {
    reason: 'InsufficientDisk',
    message: /has 10 B free of 1000 B/,
    count: 1,
  });
  t.match(images.get('app:1'), { pulling: false, triedAtMs: undefined }, 'it was not tried');
  t.match(await pulled('app:1', '5%'), { count: 2 }, 'back-off grows');
  t.equal(world.pulls, 0);
  world.disk = { ...FULL, freeBytes: 50 };
  t.equal(await pulled('app:1', '5%'), undefined);
  t.match(images.get('app:1'), { present: true, failure: undefined });
});

t.test('what is there needs no room; nor does what nobody asks it for', async (t) => {
  const there = engineWith({ disk: FULL });
  await there.images.check('app:1');
  there.world.found = FOUND;
  t.equal(await there.pulled('app:1', '5%'), undefined, 'somebody has put it there');
  t.equal(there.world.pulls, 0);
  const unasked = engineWith({ pulled: FOUND, disk: FULL });
  t.equal(await unasked.pulled('app:1'), undefined);
});

t.test('so many pulls at once, each image once; each is told with how long it took', async (t) => {
  const under: string[] = [];
  const ends = new Map<string, () => void>();
  const told: string[] = [];
  let nowMs = 0;
  const there = new Set<string>();
  const images = new Images({
    runtime: {
      disk: async () => undefined,
      findImage: async (image) => (there.has(image) ? { ...FOUND, id: image } : undefined),
      pull: (image) =>
        new Promise<void>((resolve) => {
          under.push(image);
          ends.set(image, () => {
            there.add(image);
            resolve();
          });
        }),
      removeImage: async () => undefined,
    },
    pullsAtOnce: 2,
    monotonicMs: () => nowMs,
    onPulled: (image, { tookMs, waitedMs, sizeBytes }) =>
      told.push(`${image} ${tookMs} ${waitedMs} ${sizeBytes}`),
    onNew: (image, id) => told.push(`new ${image} ${id}`),
  });
  for (const image of ['a', 'b', 'c', 'a']) images.pull(image);
  await until('two are under way', () => under.length === 2);
  nowMs = 5;
  ends.get('a')?.();
  await until('the third is', () => under.length === 3);
  nowMs = 12;
  ends.get('c')?.();
  await until('it has ended', () => told.length === 4);
  t.same(under, ['a', 'b', 'c']);
  t.same(told, ['new a a', 'a 5 5 7', 'new c c', 'c 7 12 7']);
  t.ok(images.isPulledSince('c', 12));
  t.notOk(images.isPulledSince('c', 13));
  t.equal(images.get('b').pulling, true);
});

t.test('who is refused has not tried: a copy that is there is not for them', async (t) => {
  const rows = [
    ['image-denied', 'ImagePullDenied', undefined],
    ['disk-full', 'InsufficientDisk', 1_000],
    ['other', 'ErrImagePull', 1_000],
  ] as const;
  for (const [kind, reason, triedAtMs] of rows) {
    const { images, pulled, world } = engineWith({ pulled: FOUND, refusal: new RuntimeError(kind, 'no') });
    t.match(await pulled('app:1'), { reason, message: 'no' }, kind);
    t.equal(images.get('app:1').triedAtMs, triedAtMs, kind);
    world.refusal = undefined;
    images.forgetFailure('app:1');
    t.equal(images.get('app:1').failure, undefined);
    t.equal(await pulled('app:1'), undefined);
  }
});

t.test('who is refused keeps nobody waiting who asks otherwise', async (t) => {
  const { images, world } = engineWith({ pulled: FOUND, refusal: new RuntimeError('image-denied', 'no') });
  const pull = async (puller: string) => {
    images.pull('app:1', undefined, [], puller);
    await until('it has ended', () => !images.get('app:1').pulling);
  };
  await pull('a');
  await pull('a');
  t.match(images.get('app:1', 'a').failure, { count: 2, reason: 'ImagePullDenied' });
  t.match(images.get('app:1').failure, { count: 2 });
  t.equal(images.get('app:1', 'b').failure, undefined);
  await pull('b');
  t.match(images.get('app:1', 'b').failure, { count: 1 });
  t.match(images.get('app:1', 'a').failure, { count: 2 }, 'each has a back-off of its own');
  world.refusal = undefined;
  await pull('b');
  for (const puller of ['a', 'b', undefined]) t.equal(images.get('app:1', puller).failure, undefined);
});
