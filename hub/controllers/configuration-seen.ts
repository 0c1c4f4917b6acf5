import type { PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
import { isStamp, type Stamp, stampOf } from '../fleet/configuration-stamp.ts';
import { policyNameOf } from '../fleet/current-rollout.ts';
import {
  type RolloutPolicyObject,
  type RolloutPolicySpec,
  rolloutPolicies,
} from '../fleet/rollout-policy.ts';
import type { Registry } from '../registry/registry.ts';
import type { KubeObject } from '../resources/object.ts';
import { configurationOf } from '../resources/pod-spec-references.ts';
import { stableHash } from './stable-hash.ts';

/** On a workload: what was there when its template was last stamped, or left as it is. */
export const SEEN_ANNOTATION = 'fleet.holdfast.dev/configuration-seen';

export interface Seen {
  /** The hash of the template, with its stamp. */
  readonly template: string;
  /** The copies that have the content of what was live. After an undo these are others than the stamp's. */
  readonly live: Stamp;
  /** The `kubernetes.io/change-cause` that was written with the stamp. */
  readonly cause?: string;
}

/** A workload with a template. */
export interface TemplateOwner extends KubeObject {
  spec: { template: PodTemplateSpec };
}

/** Undefined when nothing was seen, or when somebody else wrote something there. */
export function seenOf({ metadata }: Pick<KubeObject, 'metadata'>): Seen | undefined {
  const text = metadata.annotations?.[SEEN_ANNOTATION];
  if (text === undefined) return undefined;
  try {
    const seen = JSON.parse(text) as Partial<Seen> | null;
    const isWhole = typeof seen?.template === 'string' && isStamp(seen.live);
    return isWhole ? (seen as Seen) : undefined;
  } catch {
    return undefined;
  }
}

export function seenHash(template: PodTemplateSpec): string {
  return stableHash(template);
}

/** How the workload's configuration reaches its pods. Undefined while its policy is not there, when nothing changes. */
export function configurationMode(
  registry: Registry,
  workload: KubeObject,
): RolloutPolicySpec['configuration'] | undefined {
  const name = policyNameOf(workload);
  if (name === undefined) return 'live';
  const policy = registry.get(rolloutPolicies, workload.metadata.namespace, name);
  return (policy as RolloutPolicyObject | undefined)?.spec.configuration;
}

/**
 * Whether the template must not be acted on yet: it is to be stamped first, or its stamp is to be removed. A revision
 * that was made of it now would be another a moment later.
 */
export function awaitsConfiguration(registry: Registry, workload: TemplateOwner): boolean {
  const { metadata, spec } = workload;
  if (metadata.deletionTimestamp !== undefined) return false;
  const mode = configurationMode(registry, workload);
  if (mode === undefined) return false;
  if (mode === 'live' || configurationOf(spec.template.spec).length === 0)
    return stampOf(spec.template) !== undefined;
  return seenOf(workload)?.template !== seenHash(spec.template);
}
