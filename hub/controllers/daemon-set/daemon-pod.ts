import type { PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
import type { KubeObject } from '../../resources/object.ts';
import { daemonSets } from '../../resources/table-of-resources.ts';
import type { ControllerRevisionObject, DaemonSetObject } from '../../resources/typed.ts';
import { controllerReference } from '../ownership.ts';
import { podFromTemplate } from '../pod-from-template.ts';
import { daemonTolerations } from './placement.ts';
import { REVISION_HASH } from './revisions.ts';

export interface DaemonPod {
  readonly template: PodTemplateSpec;
  /** Of the template. */
  readonly hash: string;
  readonly nodeName: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A pod of a DaemonSet, bound to its node. */
export function daemonPod(
  set: DaemonSetObject,
  { template, hash, nodeName, annotations }: DaemonPod,
): KubeObject {
  const owner = { namespace: set.metadata.namespace, reference: controllerReference(daemonSets, set) };
  return podFromTemplate(template, owner, {
    labels: { [REVISION_HASH]: hash },
    ...(annotations && { annotations }),
    spec: { nodeName, ...(template.spec && { tolerations: daemonTolerations(template.spec) }) },
  });
}

/** The template that a revision keeps. */
export function templateOf({ data }: ControllerRevisionObject): PodTemplateSpec | undefined {
  const { spec } = data as { spec?: { template?: PodTemplateSpec & { $patch?: string } } };
  if (!spec?.template) return undefined;
  const { $patch: _, ...template } = spec.template;
  return template;
}
