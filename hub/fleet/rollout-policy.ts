import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import type { FieldError } from '../resources/api-error.ts';
import { ageColumn, column, nameColumn, orNone, wideColumn } from '../resources/cells.ts';
import { namesTimeZone, readSchedule, scheduleError, timeZoneError } from '../resources/cron-schedule.ts';
import { duplicate, invalidValue, required } from '../resources/field-errors.ts';
import { qualifiedNameErrors } from '../resources/names.ts';
import type { KubeObject } from '../resources/object.ts';
import { parseQuantity } from '../resources/quantity.ts';
import { labelSelectorErrors } from '../resources/template-validation.ts';
import { durationMs } from './duration.ts';
import {
  amount,
  choice,
  count,
  defineFleetKind,
  duration,
  flag,
  LABEL_SELECTOR,
  list,
  named,
  percent,
  struct,
  text,
} from './fleet-kind.ts';
import { HEALTH_CHECK, type HealthCheck, healthCheckErrors } from './health-check.ts';
import { MEASURED_GATE, type MeasuredGate } from './measured-gate.ts';
import { measuredGateErrors } from './measured-gate-errors.ts';

export interface Wave {
  readonly name: string;
  readonly selector?: LabelSelector;
  /** Devices, or a percentage of those that the selector matches. Absent: all of them. */
  readonly limit?: number | string;
  readonly spreadBy?: readonly string[];
  readonly bake?: string;
  readonly approve: 'automatic' | 'manual';
}

/** When devices may switch. */
export interface Window {
  readonly schedule: string;
  readonly duration: string;
  /** IANA, or `device`: each device's own. */
  readonly timeZone: string;
}

export type UpdateOrder =
  | 'download-then-stop'
  | 'stop-then-download'
  | 'delete-then-download'
  | 'start-first';

/** A RolloutPolicy's spec with its defaults. Durations are texts such as `15m`. */
export interface RolloutPolicySpec {
  readonly start: 'automatic' | 'manual';
  /** How ConfigMaps and Secrets that a template reads reach its pods. */
  readonly configuration: 'live' | 'revisioned';
  readonly stage?: {
    readonly maxConcurrent: number;
    readonly rate?: {
      readonly basePerMinute: number;
      readonly factor: number;
      readonly afterSucceeded: number;
    };
    readonly windows?: readonly Window[];
  };
  readonly waves?: readonly Wave[];
  readonly gates: {
    readonly health: {
      readonly successThreshold: string;
      readonly minAttempted: number;
      readonly minHealthy: string;
      readonly maxRestarts: number;
      readonly check?: HealthCheck;
      readonly dryRun: boolean;
    };
    readonly lost: {
      readonly lostAfter: string;
      readonly maxLost: number | string;
      readonly dryRun: boolean;
    };
    readonly measured?: readonly MeasuredGate[];
  };
  readonly onFail: 'pause' | 'undo' | 'continue';
  readonly offline: {
    readonly catchUp: {
      readonly maxConcurrent: number;
      readonly abort?: { readonly failures: number; readonly of: number };
    };
  };
  readonly deadline: { readonly perDeviceApply: string; readonly noProgress: string };
  readonly budget?: { readonly groupBy: readonly string[]; readonly maxUnavailable: number | string };
  readonly device: {
    readonly order: UpdateOrder;
    readonly localRollback: boolean;
    readonly windows?: readonly Window[];
    readonly clockUntrusted: 'hold' | 'run';
    readonly consent?: { readonly maxDefer: string };
    /** A quantity, or a percentage of the disk. */
    readonly minFreeDisk: string;
  };
}

export interface RolloutPolicyObject extends KubeObject {
  spec: RolloutPolicySpec;
}

const WAVE = struct(
  'Devices that get the change together. Whoever is in an earlier wave is in no later one.',
  {
    name: text('What the wave is called: canary, pilot.', {
      minLength: 1,
      maxLength: 63,
      pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$',
    }),
    selector: struct('Labels of the nodes that the wave takes. All nodes when absent.', LABEL_SELECTOR),
    limit: amount(
      'How many of those devices at most; a percentage is of all that the selector matches. All when absent.',
    ),
    spreadBy: list(
      'Labels of nodes over whose values the devices are spread evenly, such as topology.holdfast.dev/site.',
      { type: 'string' },
      { maxItems: 4 },
    ),
    bake: duration('How long the wave is watched after its last device is done, before the next begins.'),
    approve: choice(
      'Whether the next wave begins by itself when this one is done, or waits until somebody approves.',
      ['automatic', 'manual'],
      { default: 'automatic' },
    ),
  },
  { required: ['name'] },
);

const MOST_GATES = 20;

const GATES = struct(
  'What must hold before a wave counts as done, and while it bakes.',
  {
    health: struct(
      'How many devices must take the revision, and when a device has taken it.',
      {
        successThreshold: percent(
          'The share of the devices that attempted the change which must have succeeded.',
          '95%',
        ),
        minAttempted: count('Fewer attempts than this decide nothing, unless the wave has no more devices.', {
          minimum: 1,
          default: 5,
        }),
        minHealthy: duration(
          'How long a device must see its pod ready without a break to accept the revision.',
          '30s',
        ),
        maxRestarts: count('How often containers may restart on a device before it rejects the revision.', {
          default: 2,
        }),
        check: HEALTH_CHECK,
        dryRun: flag('Only tell what the gate finds.', false),
      },
      { default: {} },
    ),
    lost: struct(
      'Devices that took the revision up and were then not heard of any more.',
      {
        lostAfter: duration('How long a device must be silent to count as lost.', '20m'),
        maxLost: amount('How many of the devices that attempted the change may be lost.', '1%'),
        dryRun: flag('Only tell what the gate finds.', false),
      },
      { default: {} },
    ),
    measured: named('Gates for which the devices or others are asked.', MEASURED_GATE, {
      maxItems: MOST_GATES,
    }),
  },
  { default: {} },
);

const WINDOW = struct(
  'From each time of the schedule on, for the duration.',
  {
    schedule: text(
      'Five fields, as a CronJob has them: minute, hour, day of the month, month, day of the week.',
    ),
    duration: duration('How long it is open.'),
    timeZone: text('A name such as Europe/Berlin, or device: each goes by its own.', {
      default: 'device',
    }),
  },
  { required: ['schedule', 'duration'] },
);

export const POLICY_SPEC = struct('How a change reaches a fleet.', {
  start: choice(
    'Whether a change of the workload starts its rollout, or makes one that waits until it is started.',
    ['automatic', 'manual'],
    { default: 'automatic' },
  ),
  configuration: choice(
    'How ConfigMaps and Secrets that the template reads reach its pods: as they are at the time, in the way of Kubernetes; or as part of the revision, from copies, so that a change of one goes by waves and back like a change of the template.',
    ['live', 'revisioned'],
    { default: 'live' },
  ),
  stage: struct(
    'Downloads ahead of time: all devices get the images of the new revision while the old one runs on. Without it, a device downloads when its turn comes.',
    {
      maxConcurrent: count('How many devices download at a time.', { minimum: 1, default: 200 }),
      rate: struct('How many devices begin a minute, growing with success.', {
        basePerMinute: count('Devices a minute at first.', { minimum: 1, default: 20 }),
        factor: {
          type: 'number',
          description: 'The rate is multiplied with this each time.',
          minimum: 1,
          default: 2,
        },
        afterSucceeded: count('How many more devices must have staged before the rate grows.', {
          minimum: 1,
          default: 50,
        }),
      }),
      windows: list(
        'When a device may download ahead of time, by the rules of device.windows. At any time when absent.',
        WINDOW,
        { maxItems: 20 },
      ),
    },
  ),
  waves: named('In this order. Whoever is in none of them follows in a last wave, called rest.', WAVE, {
    maxItems: 50,
  }),
  gates: GATES,
  onFail: choice(
    'What to do when a gate fails: wait for somebody, go back to the last stable revision, or go on.',
    ['pause', 'undo', 'continue'],
    { default: 'pause' },
  ),
  offline: struct(
    'Devices that are away. They hold nobody up, and count neither as success nor as failure.',
    {
      catchUp: struct(
        'Devices that come back when their wave is over.',
        {
          maxConcurrent: count('How many of them take the revision at a time.', { minimum: 1, default: 50 }),
          abort: struct(
            'Stops catching up, and pauses the rollout, when this many of the last so many devices failed.',
            {
              failures: count('Failures.', { minimum: 1 }),
              of: count('Of the last so many.', { minimum: 1 }),
            },
            { required: ['failures', 'of'] },
          ),
        },
        { default: {} },
      ),
    },
    { default: {} },
  ),
  deadline: struct(
    'Nothing waits for ever.',
    {
      perDeviceApply: duration('A device that has not decided by then has failed.', '15m'),
      noProgress: duration('A wave without a device that succeeds for this long pauses the rollout.', '6h'),
    },
    { default: {} },
  ),
  budget: struct(
    'How many devices of a group may be out of service at once. Devices that are away count as out of service.',
    {
      groupBy: list(
        'Labels of nodes whose values make a group.',
        { type: 'string' },
        { minItems: 1, maxItems: 4 },
      ),
      maxUnavailable: amount('Of one group.', 1),
    },
    { required: ['groupBy'] },
  ),
  device: struct(
    'What a device does with the new revision.',
    {
      order: choice(
        'Download while the old one runs and then switch; free memory first; free the disk first; or run both until the new one is healthy.',
        ['download-then-stop', 'stop-then-download', 'delete-then-download', 'start-first'],
        { default: 'download-then-stop' },
      ),
      localRollback: flag(
        'Whether the device goes back to the revision before by itself, connected or not, when the new one fails there.',
        true,
      ),
      windows: list('When a device may switch. It downloads at any time. At any time when absent.', WINDOW, {
        maxItems: 20,
      }),
      clockUntrusted: choice(
        'What a device does whose clock cannot be right, so that it does not know whether a window is open.',
        ['hold', 'run'],
        { default: 'hold' },
      ),
      consent: struct(
        'Programs on a device may put its update off for a while, by leases that they take from the agent. An undo is not put off. Without it, leases are not honoured.',
        {
          maxDefer: duration(
            'For how long in all one update may be put off on a device, from when it would have begun; then it goes on regardless. 0s honours no leases.',
            '24h',
          ),
        },
      ),
      minFreeDisk: text(
        'What must be free on the disk of a device before it downloads beside the old revision: a quantity such as 500Mi, or a percentage such as 5%. 0 asks for nothing. An undo, and the orders that free memory or the disk first, are not held up by it.',
        { maxLength: 32, default: '5%' },
      ),
    },
    { default: {} },
  ),
});

/** How changes of a workload reach the devices of a fleet. */
export const rolloutPolicies = defineFleetKind(
  {
    kind: 'RolloutPolicy',
    plural: 'rolloutpolicies',
    shortNames: ['rop'],
    description:
      'RolloutPolicy says how changes of a workload reach a fleet of devices: in which waves, what must hold in between, and what happens when it does not. A DaemonSet or Deployment refers to one by the annotation fleet.holdfast.dev/rollout-policy.',
    spec: POLICY_SPEC,
  },
  {
    validate: (object) => policyErrors((object as RolloutPolicyObject).spec),
    columns: [
      nameColumn,
      column('Waves', 'The names of the waves.', (object) => orNone(wavesOf(object))),
      column('On Fail', 'What happens when a gate fails.', (object) => specOf(object).onFail),
      wideColumn('Order', 'How a device switches.', (object) => specOf(object).device.order),
      ageColumn,
    ],
  },
);

function specOf(object: KubeObject): RolloutPolicySpec {
  return (object as RolloutPolicyObject).spec;
}

function wavesOf(object: KubeObject): string {
  return (specOf(object).waves ?? []).map(({ name }) => name).join(',');
}

/** What the schema cannot say: policies that nobody could meet. */
function policyErrors({
  waves = [],
  gates,
  deadline,
  budget,
  offline,
  stage,
  device,
}: RolloutPolicySpec): FieldError[] {
  return [
    ...waves.flatMap((wave, index) => waveErrors(wave, `spec.waves[${index}]`, index === waves.length - 1)),
    ...(gates.health.successThreshold === '0%'
      ? [
          invalidValue(
            'spec.gates.health.successThreshold',
            '0%',
            'a gate that nothing fails: set dryRun instead',
          ),
        ]
      : []),
    ...positive('spec.deadline.perDeviceApply', deadline.perDeviceApply),
    ...positive('spec.deadline.noProgress', deadline.noProgress),
    ...positive('spec.gates.lost.lostAfter', gates.lost.lostAfter),
    ...(durationMs(gates.health.minHealthy) >= durationMs(deadline.perDeviceApply)
      ? [
          invalidValue(
            'spec.gates.health.minHealthy',
            gates.health.minHealthy,
            `no device can be healthy for so long before its deadline (deadline.perDeviceApply: ${deadline.perDeviceApply})`,
          ),
        ]
      : []),
    ...(gates.health.check ? healthCheckErrors(gates.health.check, 'spec.gates.health.check') : []),
    ...(gates.measured ?? []).flatMap((gate, index) =>
      measuredGateErrors(gate, `spec.gates.measured[${index}]`),
    ),
    ...(budget ? budgetErrors(budget) : []),
    ...abortErrors(offline.catchUp.abort),
    ...(stage?.windows ?? []).flatMap((window, index) =>
      windowErrors(window, `spec.stage.windows[${index}]`),
    ),
    ...(device.windows ?? []).flatMap((window, index) =>
      windowErrors(window, `spec.device.windows[${index}]`),
    ),
    ...minFreeDiskErrors(device.minFreeDisk),
    ...(stage?.rate && stage.rate.factor > 100
      ? [invalidValue('spec.stage.rate.factor', stage.rate.factor, 'must be at most 100')]
      : []),
  ];
}

function waveErrors(wave: Wave, field: string, isLast: boolean): FieldError[] {
  const { limit, selector, spreadBy, name } = wave;
  const takesAll = limit === undefined || limit === '100%';
  const hasSelector =
    Object.keys(selector?.matchLabels ?? {}).length + (selector?.matchExpressions ?? []).length > 0;
  return [
    ...labelSelectorErrors(selector, `${field}.selector`),
    ...labelNameErrors(spreadBy, `${field}.spreadBy`),
    ...(limit === 0 || limit === '0%'
      ? [invalidValue(`${field}.limit`, limit, 'the wave would select nobody')]
      : []),
    ...(takesAll && !hasSelector && !isLast
      ? [required(`${field}.limit`, 'the wave takes every device, so that those after it select nobody')]
      : []),
    ...(name === REST ? [duplicate(`${field}.name`, name)] : []),
  ];
}

const PERCENTAGE = /^(100|[1-9]?[0-9])%$/;

/** The wave of those who are in no other. */
export const REST = 'rest';

function budgetErrors({ groupBy, maxUnavailable }: NonNullable<RolloutPolicySpec['budget']>): FieldError[] {
  const isNothing = maxUnavailable === 0 || maxUnavailable === '0%';
  return [
    ...labelNameErrors(groupBy, 'spec.budget.groupBy'),
    ...(isNothing
      ? [
          invalidValue(
            'spec.budget.maxUnavailable',
            maxUnavailable,
            'no device of any group could ever be updated',
          ),
        ]
      : []),
  ];
}

function windowErrors({ schedule, duration: length, timeZone }: Window, field: string): FieldError[] {
  const problem = namesTimeZone(schedule) ? 'name the time zone in timeZone' : scheduleError(schedule);
  const isNoTime = schedule.startsWith('@every');
  const zoneProblem = timeZone === 'device' ? undefined : timeZoneError(timeZone);
  const isNever = !problem && !isNoTime && readSchedule(schedule, undefined).next(Date.now()) === undefined;
  return [
    ...(problem ? [invalidValue(`${field}.schedule`, schedule, problem)] : []),
    ...(isNever ? [invalidValue(`${field}.schedule`, schedule, 'it never opens: there is no such day')] : []),
    ...(isNoTime ? [invalidValue(`${field}.schedule`, schedule, 'a window needs times of the day')] : []),
    ...(zoneProblem ? [invalidValue(`${field}.timeZone`, timeZone, zoneProblem)] : []),
    ...positive(`${field}.duration`, length),
  ];
}

function minFreeDiskErrors(wanted: string): FieldError[] {
  const field = 'spec.device.minFreeDisk';
  if (PERCENTAGE.test(wanted))
    return wanted === '100%' ? [invalidValue(field, wanted, 'a disk in use never has so much free')] : [];
  const quantity = parseQuantity(wanted);
  if (quantity && quantity.value >= 0n) return [];
  return [invalidValue(field, wanted, 'must be a quantity such as 500Mi, or a percentage such as 5%')];
}

function abortErrors(abort: { readonly failures: number; readonly of: number } | undefined): FieldError[] {
  if (!abort || abort.failures <= abort.of) return [];
  return [
    invalidValue(
      'spec.offline.catchUp.abort.failures',
      abort.failures,
      `there are only ${abort.of} devices to fail`,
    ),
  ];
}

function labelNameErrors(names: readonly string[] = [], field: string): FieldError[] {
  return names.flatMap((name, index) =>
    qualifiedNameErrors(name).map((detail) => invalidValue(`${field}[${index}]`, name, detail)),
  );
}

function positive(field: string, value: string): FieldError[] {
  return durationMs(value) > 0 ? [] : [invalidValue(field, value, 'must be greater than 0')];
}
