import { imagesOf, type Pod } from '../pod/pod.ts';
import type { DesiredState } from '../state/desired-state.ts';
import type { Images } from './images.ts';

/** What is asked about the images of pods that are to take another's place. */
export interface DownloadsView {
  readonly desired: Pick<DesiredState, 'pods'>;
  readonly images: Pick<Images, 'get'>;
  /** When this agent first met the pod. */
  readonly firstSeenAtMs: (uid: string) => number;
}

/** How far the download of a pod's images is. */
export interface Download {
  readonly isStaged: boolean;
  /** What names of images stand for here, as far as they do not say so themselves. */
  readonly digests: readonly string[];
  /** Why it is not done, in one word. */
  readonly reason: string | undefined;
  /** What is in its way, as far as that is known. */
  readonly trouble: string | undefined;
}

export function downloadOf({ images, firstSeenAtMs }: DownloadsView, pod: Pod): Download {
  const states = imagesOf(pod).map(({ image, imagePullPolicy }) => {
    const { present, failure, digest, triedAtMs = Number.NEGATIVE_INFINITY } = images.get(image);
    const isFresh = imagePullPolicy !== 'Always' || triedAtMs >= firstSeenAtMs(pod.metadata.uid);
    const resolved = digest && !image.includes('@') ? `${image} is ${digest}` : undefined;
    return { isThere: present && isFresh, failure, resolved };
  });
  const failed = states.find(({ isThere, failure }) => !isThere && failure)?.failure;
  return {
    isStaged: states.every(({ isThere }) => isThere),
    digests: [...new Set(states.flatMap(({ resolved }) => resolved ?? []))],
    reason: failed?.reason,
    trouble: failed?.message,
  };
}

/** Whether the disk has nothing of a pod's images any more, but for those that others need. */
export function isCleared(view: DownloadsView, uid: string | undefined): boolean {
  const pod = uid === undefined ? undefined : view.desired.pods.get(uid);
  if (!pod) return true;
  const kept = imagesOfOthers(view, pod.metadata.uid);
  return imagesOf(pod).every(({ image }) => kept.has(image) || view.images.get(image).absent);
}

/** Images that another pod of this device uses or is to use. */
export function imagesOfOthers(
  { desired }: Pick<DownloadsView, 'desired'>,
  uid: string,
): ReadonlySet<string> {
  const others = [...desired.pods.values()].filter(({ metadata }) => metadata.uid !== uid);
  return new Set(others.flatMap((pod) => imagesOf(pod).map(({ image }) => image)));
}
