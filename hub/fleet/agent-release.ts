import { ageColumn, column, nameColumn, wideColumn } from '../resources/cells.ts';
import type { KubeObject } from '../resources/object.ts';
import { count, defineFleetKind, flag, list, struct, text } from './fleet-kind.ts';

/** An AgentRelease's spec with its defaults. */
export interface AgentReleaseSpec {
  /** Without a `v`. */
  readonly version: string;
  /** The RolloutPolicy, in the same namespace, by which devices are changed. */
  readonly policy: string;
  /** Labels that a device must have; absent: all do. */
  readonly nodeSelector?: Readonly<Record<string, string>>;
  /** Names of devices; absent: whatever they are called. */
  readonly devices?: readonly string[];
  readonly paused: boolean;
}

export interface AgentReleaseStatus {
  readonly observedGeneration?: number;
  /** Devices that it is for, and of these, those that run the version. */
  readonly devices?: number;
  readonly updated?: number;
  /** Why nothing goes on; absent when nothing is in its way. */
  readonly message?: string;
}

export interface AgentReleaseObject extends KubeObject {
  spec: AgentReleaseSpec;
  status?: AgentReleaseStatus;
}

/** The version of the agent that devices are to run. */
export const agentReleases = defineFleetKind(
  {
    kind: 'AgentRelease',
    plural: 'agentreleases',
    shortNames: ['ar'],
    description:
      'AgentRelease says which version of the agent devices run. A change of the version goes through the fleet as a change of a workload does, by a RolloutPolicy; each device tries the version, and goes back from one that does not work.',
    spec: struct(
      'Which version, on which devices.',
      {
        version: text(
          'The version, such as 1.2.0. The hub must have its packages: see "holdfast packages".',
          {
            pattern: '^[0-9]+\\.[0-9]+\\.[0-9]+(-[0-9A-Za-z.]+)?$',
            maxLength: 63,
          },
        ),
        policy: text('The RolloutPolicy, in the same namespace, that says how.', {
          minLength: 1,
          maxLength: 253,
        }),
        nodeSelector: {
          type: 'object',
          description: 'Labels that a device must have, with these values. All devices when absent.',
          additionalProperties: { type: 'string' },
        },
        devices: list(
          'The only devices that it is for, by their names.',
          { type: 'string' },
          { maxItems: 1000 },
        ),
        paused: flag('Nothing goes on while it is.', false),
      },
      { required: ['version', 'policy'] },
    ),
    status: struct('What has become of it. Written by the hub.', {
      observedGeneration: count('Which generation of the spec this is about.'),
      devices: count('Devices that it is for.'),
      updated: count('Of these, devices that run the version.'),
      message: text('Why nothing goes on.'),
    }),
  },
  {
    columns: [
      nameColumn,
      column('Version', 'The version that devices are to run.', (object) => of(object).spec.version),
      column('Policy', 'The RolloutPolicy that says how.', (object) => of(object).spec.policy),
      column('Devices', 'Devices that it is for.', (object) => `${of(object).status?.devices ?? 0}`),
      column('Updated', 'Devices that run the version.', (object) => `${of(object).status?.updated ?? 0}`),
      column('Message', 'Why nothing goes on.', (object) => of(object).status?.message ?? ''),
      wideColumn('Paused', 'Whether nothing goes on.', (object) => `${of(object).spec.paused}`),
      ageColumn,
    ],
  },
);

function of(object: KubeObject): AgentReleaseObject {
  return object as AgentReleaseObject;
}

/** Whether it is for the device. */
export function isFor({ spec }: AgentReleaseObject, { metadata }: KubeObject): boolean {
  const { name = '', labels = {} } = metadata;
  const hasLabels = Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value);
  return hasLabels && (spec.devices === undefined || spec.devices.includes(name));
}
