import { undoneLast } from '../../fleet/current-rollout.ts';
import type { GitSourceObject } from '../../fleet/git-source.ts';
import type { Backoff } from '../backoff.ts';
import type { EventText } from '../event-recorder.ts';
import { type ApplyContext, applyAgain, findDrift } from './apply.ts';
import type { WantedObject } from './apply-plan.ts';
import { type FollowedSource, see } from './followed-sources.ts';
import { failureText } from './outcome.ts';
import { driftText } from './source-status.ts';

export interface Corrected {
  /** How long to leave alone what others change back each time. */
  readonly waitMs: number;
  readonly hasFailed: boolean;
  readonly events: readonly EventText[];
}

/** The rollout that has undone what the repository has: to apply that again would only break the same devices again. */
function undoneOf({ registry, writer }: ApplyContext, { ref }: WantedObject): string | undefined {
  const live = writer.find(ref);
  return live && undoneLast(registry, live)?.metadata.name;
}

/**
 * Looks at the objects that others wrote, and puts them right where the spec says so. Somebody who always changes the
 * same object back is followed ever more slowly.
 */
export async function correctDrift(
  context: ApplyContext,
  { spec }: GitSourceObject,
  source: FollowedSource,
  patience: Backoff,
): Promise<Corrected> {
  const touched = [...source.touched].flatMap((key) => source.wanted?.get(key) ?? []);
  source.touched.clear();
  const drift = await findDrift(context, touched);
  for (const { key, ref } of touched) {
    const found = drift.get(key);
    if (found) source.drifted.set(key, found);
    else source.drifted.delete(key);
    if (!found) see(source, key, context.writer.find(ref));
  }
  if (spec.drift === 'report') return { waitMs: Number.POSITIVE_INFINITY, hasFailed: false, events: [] };

  const differing = touched.filter(({ key }) => drift.has(key));
  const { taken = [], free = [] } = Object.groupBy(differing, (each) =>
    undoneOf(context, each) ? 'taken' : 'free',
  );
  const waitMs = ({ key }: WantedObject) => patience.waitMs(`${context.source} ${key}`);
  const [due, later] = [free.filter((each) => waitMs(each) === 0), free.filter((each) => waitMs(each) > 0)];
  for (const { key } of due) {
    patience.note(`${context.source} ${key}`);
    source.drifted.delete(key);
  }
  for (const { key } of later) source.touched.add(key);
  const failures = await applyAgain(context, due);
  return {
    waitMs: Math.min(...later.map(waitMs), Number.POSITIVE_INFINITY),
    hasFailed: failures.length > 0,
    events: [
      ...taken.flatMap((each): EventText[] => {
        const found = drift.get(each.key);
        const message = found && `${driftText(found)}: rollout ${undoneOf(context, each)} has undone it`;
        return message ? [{ type: 'Warning', reason: 'DriftLeft', message }] : [];
      }),
      ...due.flatMap(({ key }): EventText[] => {
        const found = drift.get(key);
        return found
          ? [
              {
                type: 'Normal',
                reason: 'DriftCorrected',
                message: `${driftText(found)}: it is applied again`,
              },
            ]
          : [];
      }),
      ...failures.map(
        (each): EventText => ({ type: 'Warning', reason: 'DriftNotCorrected', message: failureText(each) }),
      ),
    ],
  };
}
