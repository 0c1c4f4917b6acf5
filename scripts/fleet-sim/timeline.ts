import { type Draw, within } from './draw.ts';
import type { Behaviour, Period, Reboot } from './scenario.ts';

/** Something that happens to a device, and when: in ms since the fleet was started. */
export type Step = { readonly atMs: number } & (
  | { readonly type: 'cut' | 'restore'; readonly reason: CutReason }
  | { readonly type: 'reboot'; readonly reboot: Reboot }
  | { readonly type: 'vanish' }
);

/** A device is connected while there is none of these. */
export type CutReason = 'dark' | 'flapping' | 'asked' | 'off';

/** All that the scenario has in store for a device, in order. Has no end when the device flaps. */
export function* stepsOf(behaviour: Behaviour, draw: Draw): Generator<Step> {
  const sources = [fixedSteps(behaviour, draw)[Symbol.iterator](), flappingSteps(behaviour, draw)];
  const next = sources.map((source) => source.next().value as Step | undefined);
  for (;;) {
    const first = next.indexOf(earliest(next));
    const step = next[first];
    if (!step) return;
    next[first] = sources[first]?.next().value as Step | undefined;
    yield step;
  }
}

function earliest(steps: readonly (Step | undefined)[]): Step | undefined {
  return steps.reduce((a, b) => (a && b ? (b.atMs < a.atMs ? b : a) : (a ?? b)), undefined);
}

function fixedSteps({ dark = [], reboots = [], lost }: Behaviour, draw: Draw): Step[] {
  const steps: Step[] = [
    ...dark.flatMap(darkSteps),
    ...reboots.map(({ atMs, ...reboot }, number): Step => {
      return { atMs: within(atMs, draw('reboot', number)), type: 'reboot', reboot };
    }),
  ];
  if (lost?.atMs !== undefined) steps.push({ atMs: within(lost.atMs, draw('lost')), type: 'vanish' });
  return steps.sort((a, b) => a.atMs - b.atMs);
}

function darkSteps({ fromMs, toMs }: Period): Step[] {
  const cut: Step = { atMs: fromMs, type: 'cut', reason: 'dark' };
  return toMs === undefined ? [cut] : [cut, { atMs: toMs, type: 'restore', reason: 'dark' }];
}

/** Begins connected. */
function* flappingSteps({ flapping }: Behaviour, draw: Draw): Generator<Step> {
  if (!flapping) return;
  const { connectedMs, disconnectedMs } = flapping;
  let atMs = 0;
  for (let turn = 0; ; turn += 1) {
    atMs += within(connectedMs, draw('connected', turn));
    yield { atMs, type: 'cut', reason: 'flapping' };
    atMs += within(disconnectedMs, draw('disconnected', turn));
    yield { atMs, type: 'restore', reason: 'flapping' };
  }
}
