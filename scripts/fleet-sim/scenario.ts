import { type Draw, drawFrom, type Range } from './draw.ts';

/** From when to when, in ms since the fleet was started. Without an end: for ever. */
export interface Period {
  readonly fromMs: number;
  readonly toMs?: number;
}

/** What containers of an image do. */
export interface ImageBehaviour {
  /** No registry has it. */
  readonly absent?: boolean;
  /** The device has it from the beginning. */
  readonly present?: boolean;
  readonly sizeBytes?: number;
  /** How long a pull takes, whatever the image's size. */
  readonly pullMs?: Range;
  /** Its containers end by themselves. */
  readonly exit?: { readonly afterMs: Range; readonly code?: number };
  /** What each of its containers uses: bytes (8 MiB), and millicores (10). */
  readonly memoryBytes?: Range;
  readonly cpuMilli?: Range;
  /** They do not end when they are asked to, and must be killed. */
  readonly ignoresTerm?: boolean;
  /** How commands in its containers end: the first that matches counts, and what matches none ends well. */
  readonly commands?: readonly CommandBehaviour[];
}

/** How exec probes, and other commands, end. */
export interface CommandBehaviour {
  /** The command, joined by spaces, contains this. Absent: every command. */
  readonly contains?: string;
  /** It ends well from this age of its container on (0), and until that age (for ever). Otherwise it fails. */
  readonly okFromMs?: Range;
  readonly okUntilMs?: Range;
  /** How long it runs. */
  readonly tookMs?: Range;
}

/** How a device behaves. */
export interface Behaviour {
  /** Not connected. */
  readonly dark?: readonly Period[];
  /** Connected and not connected in turns. */
  readonly flapping?: { readonly connectedMs: Range; readonly disconnectedMs: Range };
  /** Its disk is full: it can neither pull nor create. */
  readonly diskFull?: readonly Period[];
  /** Of pulls. Absent: they take no time that depends on the image's size. */
  readonly bytesPerSecond?: Range;
  /** How wrong its clock is. */
  readonly clockOffsetMs?: Range;
  /** It vanishes for ever: then, or when it is about to make a container of an image. */
  readonly lost?: { readonly atMs?: Range; readonly image?: string };
  readonly reboots?: readonly RebootPlan[];
  readonly createMs?: Range;
  readonly startMs?: Range;
  /** From the request to end to the end. */
  readonly stopMs?: Range;
}

export interface RebootPlan extends Reboot {
  readonly atMs: Range;
}

export interface Reboot {
  /** How long the agent is away (0). */
  readonly downMs?: Range;
  /** What becomes of the containers: the agent alone was restarted, the device was, or its engine lost everything. */
  readonly containers?: 'running' | 'ended' | 'gone';
}

/** Some of the fleet: a share of it, a number, or devices by their numbers. */
export interface Group extends Behaviour {
  readonly name: string;
  readonly share?: number;
  readonly count?: number;
  readonly devices?: readonly number[];
  readonly labels?: Readonly<Record<string, string>>;
}

/** A label whose values are spread over the fleet: `prefix` and a number, or names with their weights. */
export type LabelSpread =
  | { readonly prefix: string; readonly count: number }
  | { readonly weights: Readonly<Record<string, number>> };

export interface Scenario {
  /** How every device behaves; groups say what is different with theirs. */
  readonly all?: Behaviour;
  /** By the image's name; a `*` stands for anything. The first that matches counts. */
  readonly images?: Readonly<Record<string, ImageBehaviour>>;
  readonly groups?: readonly Group[];
  readonly labels?: Readonly<Record<string, LabelSpread>>;
}

/** What one device is to do. */
export interface DevicePlan {
  readonly index: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Names of the groups that it is in. */
  readonly groups: readonly string[];
  readonly behaviour: Behaviour;
  /** Chance of this device alone. */
  readonly draw: Draw;
}

/** Every device of a fleet: pure, and the same for the same scenario, seed and size. */
export function planFleet(scenario: Scenario, seed: string | number, size: number): DevicePlan[] {
  const draw = drawFrom(seed);
  const members = (scenario.groups ?? []).map((group) => ({ group, of: membersOf(group, size, draw) }));
  return Array.from({ length: size }, (_, index) => {
    const groups = members.filter(({ of }) => of.has(index)).map(({ group }) => group);
    return {
      index,
      groups: groups.map(({ name }) => name),
      labels: Object.assign(
        labelsOf(scenario.labels ?? {}, index, draw),
        ...groups.map(({ labels }) => labels),
      ),
      behaviour: Object.assign({}, scenario.all, ...groups.map(behaviourOf)),
      draw: (...question) => draw('device', index, ...question),
    };
  });
}

/** What the scenario says of an image. */
export function behaviourOfImage(scenario: Scenario, image: string): ImageBehaviour {
  const found = Object.entries(scenario.images ?? {}).find(([pattern]) => matches(pattern, image));
  return found?.[1] ?? {};
}

export function matches(pattern: string, image: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(image);
}

/** Whether the period is on at this time; `ends` is when that is another. */
export function isOn(periods: readonly Period[] = [], atMs: number): boolean {
  return periods.some(({ fromMs, toMs = Number.POSITIVE_INFINITY }) => fromMs <= atMs && atMs < toMs);
}

/** Exactly the share or the number that was asked for, whoever they are. */
function membersOf(group: Group, size: number, draw: Draw): Set<number> {
  if (group.devices) return new Set(group.devices);
  const count = group.count ?? Math.round((group.share ?? 0) * size);
  const order = Array.from({ length: size }, (_, index) => ({ index, at: draw('group', group.name, index) }));
  return new Set(
    order
      .sort((a, b) => a.at - b.at)
      .slice(0, count)
      .map(({ index }) => index),
  );
}

function behaviourOf({
  name: _,
  share: __,
  count: ___,
  devices: ____,
  labels: _____,
  ...rest
}: Group): Behaviour {
  return rest;
}

function labelsOf(
  spreads: Readonly<Record<string, LabelSpread>>,
  index: number,
  draw: Draw,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(spreads).map(([key, spread]) => [
      key,
      labelValue(spread, index, draw('label', key, index)),
    ]),
  );
}

/** Numbered values are dealt out in turns, so that all are as frequent; weighted ones are drawn. */
function labelValue(spread: LabelSpread, index: number, chance: number): string {
  if ('prefix' in spread) return `${spread.prefix}${index % spread.count}`;
  const weights = Object.entries(spread.weights);
  let left = chance * weights.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [value, weight] of weights) {
    left -= weight;
    if (left < 0) return value;
  }
  return weights.at(-1)?.[0] ?? '';
}
