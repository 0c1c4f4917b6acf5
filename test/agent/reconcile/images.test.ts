import t from 'tap';
import type { Failure } from '../../../agent/pod/observation.ts';
import { Images } from '../../../agent/reconcile/images.ts';
import type { EngineDisk, FoundImage } from '../../../agent/runtime/runtime.ts';

const DIGEST = `sha256:${'1'.repeat(64)}`;
const FOUND: FoundImage = { id: 'sha256:id', digests: [`app@${DIGEST}`] };

/** Images over an engine that does what a test says. */
function engineWith(given: {
  found?: FoundImage | undefined;
  pulled?: FoundImage | undefined;
  disk?: EngineDisk;
}) {
  const world = { ...given, nowMs: 1_000, pulls: 0 };
  let ended: ((failure: Failure | undefined) => void) | undefined;
  const images = new Images({
    runtime: {
      findImage: async () => world.found,
      disk: async () => world.disk,
      pull: async () => {
        world.pulls += 1;
        world.found = world.pulled;
      },
      removeImage: async () => {
        world.found = undefined;
      },
    },
    monotonicMs: () => world.nowMs,
    onPulled: (_, failure) => ended?.(failure),
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
