import { ageColumn, column, nameColumn, wideColumn } from '../resources/cells.ts';
import type { KubeObject } from '../resources/object.ts';
import { choice, defineFleetKind, struct, text, time } from './fleet-kind.ts';

/** Where a device is on its way to the revision. */
export const STEPS = [
  /** Its turn has not come. */
  'Waiting',
  /** It downloads while the old revision runs on. */
  'Staging',
  /** It holds the images, and waits for its turn. */
  'Staged',
  /** It has been told to switch. */
  'Applying',
  'Succeeded',
  /** It went back to the revision before, by itself. */
  'Rejected',
  /** It did not decide in time, or could not be asked. */
  'Failed',
] as const;

export type Step = (typeof STEPS)[number];

/** `reachable`; `dark`: away before it was asked; `lost`: silent since it took the change up. */
export const CLASSES = ['reachable', 'dark', 'lost'] as const;

export type DeviceClass = (typeof CLASSES)[number];

export interface DeviceUpdateSpec {
  readonly workload: string;
  readonly node: string;
  /** The Rollout that this is about: the newest of the workload. */
  readonly rollout: string;
  readonly wave: string;
  readonly class: DeviceClass;
  readonly step: Step;
  readonly reason?: string;
  readonly message?: string;
  /** When it came to this step. */
  readonly since: string;
  /** When it began to download. */
  readonly stagingAt?: string;
  /** When it was told to switch. */
  readonly appliedAt?: string;
  /** How often it was asked anew. */
  readonly retries?: number;
}

export interface DeviceUpdateObject extends KubeObject {
  spec: DeviceUpdateSpec;
}

/** Where one device is with the newest change of one workload. Written by the hub. */
export const deviceUpdates = defineFleetKind(
  {
    kind: 'DeviceUpdate',
    plural: 'deviceupdates',
    shortNames: ['du'],
    description:
      'DeviceUpdate says where one device is with the newest change of one workload, and why. The hub keeps one for each device of a workload that refers to a RolloutPolicy.',
    spec: struct(
      'Where the device is. Written by the hub.',
      {
        workload: text('The name of the workload.'),
        node: text('The device.'),
        rollout: text('The Rollout that this is about.'),
        wave: text('Its wave; empty while it has none.'),
        class: choice('Whether it can be reached.', CLASSES),
        step: choice('Where it is.', STEPS),
        reason: text('One word for why.'),
        message: text('Why, in a sentence.'),
        since: time('When it came to this step.'),
        stagingAt: time('When it began to download.'),
        appliedAt: time('When it was told to switch.'),
        retries: { type: 'integer', minimum: 0, description: 'How often it was asked anew.' },
      },
      { required: ['workload', 'node', 'rollout', 'wave', 'class', 'step', 'since'] },
    ),
  },
  {
    indexes: { workload: (object) => [`${object.metadata.namespace}/${specOf(object).workload}`] },
    fieldSelectors: {
      'spec.node': (object) => specOf(object).node,
      'spec.workload': (object) => specOf(object).workload,
      'spec.rollout': (object) => specOf(object).rollout,
      'spec.step': (object) => specOf(object).step,
    },
    columns: [
      nameColumn,
      column('Node', 'The device.', (object) => specOf(object).node),
      column('Rollout', 'What it is about.', (object) => specOf(object).rollout),
      column('Wave', 'Its wave.', (object) => specOf(object).wave),
      column('Class', 'Whether it can be reached.', (object) => specOf(object).class),
      column('Step', 'Where it is.', (object) => specOf(object).step),
      column('Reason', 'Why.', (object) => specOf(object).reason ?? ''),
      wideColumn('Message', 'Why, in a sentence.', (object) => specOf(object).message ?? ''),
      ageColumn,
    ],
  },
);

function specOf(object: KubeObject): DeviceUpdateSpec {
  return (object as DeviceUpdateObject).spec;
}
