import type { RolloutAction, RolloutObject } from '../../fleet/rollout.ts';
import { type ApiClient, ApiFailure, JSON_PATCH } from '../api-client.ts';
import type { Call, Command } from '../command.ts';
import { dataText } from '../print.ts';
import { findRollout, isOver, rolloutsPath } from './find-rollout.ts';
import { headline } from './status-text.ts';

const TRIES = 5;
/** The hub carries an action out within moments; after this the command tells that it has not. */
const CARRIED_OUT_WITHIN_MS = 10_000;

const REASON = { type: 'string', value: 'TEXT', about: 'why: it goes into the record' } as const;

interface ActionCommand {
  readonly type: RolloutAction['type'];
  readonly about: string;
  readonly flags?: Command['flags'];
  readonly examples: readonly string[];
  /** What the flags make of the action. */
  readonly more?: (call: Call) => Partial<RolloutAction>;
}

function actionCommand({ type, about, flags = {}, examples, more }: ActionCommand): Command {
  return {
    arguments: 'NAME|ds/NAME|deploy/NAME|ar/NAME',
    takes: [1, 1],
    about,
    flags: { ...flags, reason: REASON },
    examples,
    outputs: ['json', 'yaml'],
    run: async (call) => {
      const rollout = await findRollout(call.client, call.namespace, call.arguments[0]);
      const reason = call.text('reason');
      const action = { type, ...more?.(call), ...(reason && { reason }) };
      await act(call, rollout, action);
      return undefined;
    },
  };
}

const waveOf = (call: Call): Partial<RolloutAction> => {
  const wave = call.text('wave');
  return wave === undefined ? {} : { wave };
};

/** The commands that ask something of a rollout. */
export const actions: Readonly<Record<string, Command>> = {
  start: actionCommand({
    type: 'start',
    about: 'begins a rollout whose policy waits for it (start: manual)',
    examples: ['ds/app', 'app-3 --reason "change 1234"'],
  }),
  pause: actionCommand({
    type: 'pause',
    about: 'asks no more devices until it is resumed; those that are at it finish',
    examples: ['ds/app --reason "the support line rings"'],
  }),
  resume: actionCommand({
    type: 'resume',
    about: 'goes on; failures so far are not held against the wave again',
    examples: ['ds/app --reason "three devices with bad disks"'],
  }),
  approve: actionCommand({
    type: 'approve',
    about: 'lets a wave that needs approval be over',
    flags: { wave: { type: 'string', value: 'WAVE', about: 'which; the present one otherwise' } },
    examples: ['ds/app', 'app-3 --wave canary --reason "looks good"'],
    more: waveOf,
  }),
  promote: actionCommand({
    type: 'promote',
    about: 'ends what the present wave waits for: its bake, its approval, a pause',
    flags: { full: { type: 'boolean', about: 'also past all later bakes and approvals' } },
    examples: ['ds/app', 'ds/app --full --reason "security fix"'],
    more: (call) => (call.has('full') ? { full: true } : {}),
  }),
  retry: actionCommand({
    type: 'retry',
    about: 'asks the devices anew that rejected the revision, took too long or were lost',
    flags: { failed: { type: 'boolean', about: 'those that failed (needed: nothing else can be retried)' } },
    examples: ['ds/app --failed'],
    more: (call) => {
      if (!call.has('failed')) throw new Error('--failed is needed: only devices that failed can be retried');
      return {};
    },
  }),
  'skip-wave': actionCommand({
    type: 'skip-wave',
    about: 'leaves a wave: those of it who have not been asked go with the last',
    flags: { wave: { type: 'string', value: 'WAVE', about: 'which; the present one otherwise' } },
    examples: ['ds/app', 'ds/app --wave pilot'],
    more: waveOf,
  }),
  abort: actionCommand({
    type: 'abort',
    about: 'ends a rollout where it is: who has the revision keeps it, nobody else gets it',
    examples: ['app-3 --reason "wrong build"'],
  }),
};

/** Asks, waits until the hub has done it, and says where the rollout is then. */
export async function act(call: Call, rollout: RolloutObject, action: RolloutAction): Promise<void> {
  const { client, namespace, output } = call;
  const name = rollout.metadata.name ?? '';
  const refusal = refusalOf(rollout, action);
  if (refusal) throw new Error(`rollout "${name}" ${refusal}`);
  const asked = await append(client, namespace, name, action);
  const count = asked.spec.actions?.length ?? 0;
  const done = await carriedOut(client, namespace, name, count);
  if (output === 'json' || output === 'yaml') {
    call.print(dataText(output, done ?? asked));
  } else if (done) call.print(`${name}: ${headline(done)}`);
  if (!done)
    call.warn(
      `${name}: "${action.type}" is recorded, but the hub has not carried it out in ${CARRIED_OUT_WITHIN_MS / 1000} s`,
    );
}

/** Why the hub would do nothing when it was asked this; undefined when it would do something. Pure. */
export function refusalOf(rollout: RolloutObject, action: RolloutAction): string | undefined {
  const { status = {}, spec } = rollout;
  const { phase = 'Pending', waves = [], wave: present } = status;
  const is = `is ${phase}${present && !isOver(rollout) ? ` at wave ${present}` : ''}`;
  if (isOver(rollout) && action.type !== 'undo' && !(action.type === 'retry' && phase === 'Succeeded'))
    return `${is}: what is over cannot be asked to ${action.type}`;
  switch (action.type) {
    case 'start':
      return phase === 'Pending' ? undefined : `${is}: it has started already`;
    case 'pause':
      return phase === 'Paused' ? `${is} already` : undefined;
    case 'resume':
      return phase === 'Paused' ? undefined : `${is}: only what is Paused can be resumed`;
    case 'approve':
      return approvalRefusal(rollout, action, is);
    case 'promote':
      return phase === 'Progressing' && !action.full
        ? `${is}: it waits for devices, neither for a bake nor for approval; --full goes past those to come`
        : undefined;
    case 'retry':
      return (status.failed ?? 0) + (status.lost ?? 0) === 0 && !isHeldByGate(waves)
        ? `${is}: none of its devices has failed or was lost`
        : undefined;
    case 'skip-wave':
      return skipRefusal(waves, action.wave ?? present, is);
    case 'undo':
      return spec.type === 'undo' || phase === 'Undone' || phase === 'Superseded'
        ? `${is}${spec.type === 'undo' ? ' and an undo itself' : ''}: name the revision to go to with --to`
        : undefined;
    case 'abort':
      return undefined;
  }
}

function approvalRefusal({ spec, status = {} }: RolloutObject, action: RolloutAction, is: string) {
  const name = action.wave ?? status.wave;
  if (name === undefined) return `${is}: no wave has begun; name one with --wave to approve it ahead`;
  if (status.phase === 'AwaitingApproval' && name === status.wave) return undefined;
  const policy = spec.policy.waves?.find((wave) => wave.name === name);
  const { phase } = status.waves?.find((wave) => wave.name === name) ?? {};
  if (phase === 'Done' || phase === 'Skipped') return `${is}: wave ${name} is ${phase}`;
  // The hub knows better what it does not have.
  const isKnown = policy !== undefined || phase !== undefined;
  return isKnown && policy?.approve !== 'manual' ? `${is}: wave ${name} asks for no approval` : undefined;
}

/** Gates that are measured are asked anew by a retry, also where no device failed. */
function isHeldByGate(waves: Waves): boolean {
  return waves.some(({ gates = [] }) => gates.some(({ result }) => result !== 'pass'));
}

type Waves = NonNullable<NonNullable<RolloutObject['status']>['waves']>;

function skipRefusal(waves: Waves, name: string | undefined, is: string): string | undefined {
  const names = waves.map((wave) => wave.name).join(', ');
  const wave = waves.find((each) => each.name === name);
  if (!wave) return `${is}: it has no wave "${name ?? ''}", but ${names || 'none yet'}`;
  if (wave === waves.at(-1)) return `${is}: wave ${wave.name} is the last, there is none to go on with`;
  if (wave.phase === 'Done' || wave.phase === 'Skipped') return `${is}: wave ${wave.name} is ${wave.phase}`;
  return undefined;
}

/**
 * Adds to the record. Nothing but the list of actions is looked at: the engine writes the status all the time. Who else
 * was the first to ask meanwhile makes the hub refuse ours, which then goes behind theirs.
 */
async function append(
  client: ApiClient,
  namespace: string,
  name: string,
  action: RolloutAction,
): Promise<RolloutObject> {
  const path = `${rolloutsPath(namespace)}/${encodeURIComponent(name)}`;
  for (let tries = 1; ; tries += 1) {
    const { spec } = await client.call<RolloutObject>('GET', path);
    const patch = spec.actions
      ? [{ op: 'add', path: '/spec/actions/-', value: action }]
      : [{ op: 'add', path: '/spec/actions', value: [action] }];
    try {
      return await client.call<RolloutObject>('PATCH', path, patch, { contentType: JSON_PATCH });
    } catch (error) {
      const isRace =
        error instanceof ApiFailure &&
        (error.code === 409 || /actions may only be added/.test(error.message));
      if (!isRace || tries === TRIES) throw error;
    }
  }
}

/** The rollout when so many of its actions have been carried out; undefined when that takes too long. */
async function carriedOut(
  client: ApiClient,
  namespace: string,
  name: string,
  count: number,
): Promise<RolloutObject | undefined> {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), CARRIED_OUT_WITHIN_MS);
  try {
    const states = client.follow<RolloutObject>(rolloutsPath(namespace), name, timeout.signal);
    for await (const rollout of states)
      if (rollout && (rollout.status?.observedActions ?? 0) >= count) return rollout;
    return undefined;
  } finally {
    clearTimeout(timer);
    timeout.abort();
  }
}
