import t from 'tap';
import type { ImageState } from '../../../agent/pod/observation.ts';
import type { Pod } from '../../../agent/pod/pod.ts';
import { downloadOf, imagesOfOthers, isCleared } from '../../../agent/reconcile/update-downloads.ts';
import { container, makePod } from '../builders.ts';

const podWith = (uid: string, image: string, metadata: Partial<Pod['metadata']> = {}) =>
  makePod({ containers: [container('main', { image })] }, { uid, name: uid, ...metadata });
const unknown: ImageState = {
  absent: false,
  present: false,
  pulling: false,
  digest: undefined,
  triedAtMs: undefined,
  failure: undefined,
};

function viewOf(pods: readonly Pod[], images: Readonly<Record<string, Partial<ImageState>>> = {}) {
  return {
    desired: { pods: new Map(pods.map((pod) => [pod.metadata.uid, pod])) } as never,
    images: { get: (image: string) => ({ ...unknown, ...images[image] }) },
    firstSeenAtMs: () => 100,
  };
}

t.test('who clears the disk leaves what others run, may go back to, or are to run', async (t) => {
  const pods = [
    podWith('app-1', 'app:1'),
    podWith('app-2', 'app:2', { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    podWith('app-3', 'app:3'),
    podWith('beside-old', 'app:1'),
    podWith('beside-new', 'beside:2'),
  ];
  const kept = (uid: string) => [...imagesOfOthers(viewOf(pods), uid)].sort();
  t.same(kept('beside-old'), ['app:1', 'app:2', 'app:3', 'beside:2']);
  t.same(kept('beside-new'), ['app:1', 'app:2', 'app:3']);
});

t.test('cleared: nothing is there but what others need', async (t) => {
  const [old, other] = [podWith('old', 'app:1'), podWith('other', 'app:1')];
  t.equal(isCleared(viewOf([old]), 'old'), false);
  t.equal(isCleared(viewOf([old], { 'app:1': { absent: true } }), 'old'), true);
  t.equal(isCleared(viewOf([old, other]), 'old'), true);
  t.equal(isCleared(viewOf([old]), 'gone'), true);
});

t.test('downloaded: all images, and those that are always asked for since the pod came', async (t) => {
  const named = { image: `b@sha256:${'1'.repeat(64)}` };
  const pod = makePod({
    containers: [container('a', { image: 'a:1', imagePullPolicy: 'Always' }), container('b', named)],
  });
  const there = { present: true, digest: 'sha256:abc' };
  const given = (a: Partial<ImageState>) =>
    downloadOf(viewOf([pod], { 'a:1': a, [named.image]: there }), pod);
  t.match(given({ ...there, triedAtMs: 99 }), { isStaged: false });
  t.same(given({ ...there, triedAtMs: 100 }), {
    isStaged: true,
    digests: ['a:1 is sha256:abc'],
    reason: undefined,
    trouble: undefined,
  });
  const failure = { count: 1, atMs: 0, reason: 'InsufficientDisk', message: 'full' };
  t.match(given({ absent: true, failure }), { isStaged: false, reason: 'InsufficientDisk', trouble: 'full' });
});
