import t from 'tap';
import { eventsOfPull, formatDuration, progressMessage } from '../../../agent/reconcile/pull-events.ts';
import { digestOfTag, digestTag } from '../../../agent/runtime/digest-tag.ts';

const END = { failure: undefined, wasThere: false, sizeBytes: 7, tookMs: 1_200, waitedMs: 61_500 };

t.test('what is told of a pull, in the words of Kubernetes', async (t) => {
  t.same(eventsOfPull('app:1', END), [
    {
      type: 'Normal',
      reason: 'Pulled',
      message: 'Successfully pulled image "app:1" in 1.2s (1m1.5s including waiting). Image size: 7 bytes.',
    },
  ]);
  t.same(eventsOfPull('app:1', { ...END, wasThere: true }), []);
  const failure = { count: 1, atMs: 0, reason: 'ErrImagePull', message: 'no' };
  t.same(
    eventsOfPull('app:1', { ...END, failure }).map(({ reason, message }) => [reason, message]),
    [
      ['Failed', 'Failed to pull image "app:1": no'],
      ['BackOff', 'Back-off pulling image "app:1"'],
    ],
  );
  t.equal(progressMessage('app:1', 26, 100), 'Pulling image "app:1": 26 of 100 bytes (26 %)');
  for (const [ms, text] of [
    [0, '0ms'],
    [852.7, '852ms'],
    [1_000, '1s'],
    [3_725_250, '62m5.25s'],
  ] as const)
    t.equal(formatDuration(ms), text);
});

t.test('the tag that stands for a digest', async (t) => {
  const hex = 'a'.repeat(64);
  for (const [image, tag] of [
    [`app@sha256:${hex}`, `app:holdfast-sha256-${hex}`],
    [`r.example:5000/app:1@sha256:${hex}`, `r.example:5000/app:holdfast-sha256-${hex}`],
    ['app:1', undefined],
    [`sha256:${hex}`, undefined],
  ] as const)
    t.equal(digestTag(image), tag, image);
  t.equal(digestOfTag(`r.example:5000/app:holdfast-sha256-${hex}`), `r.example:5000/app@sha256:${hex}`);
  t.equal(digestOfTag('app:1'), undefined);
});
