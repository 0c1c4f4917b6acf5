import type { PodSpec, PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
import type { KubeObject, OwnerReference } from '../resources/object.ts';

/** A pod as a controller asks for it: the template's metadata and spec, and the owner. */
export function podFromTemplate(
  { metadata = {}, spec }: PodTemplateSpec,
  owner: { readonly namespace: string | undefined; readonly reference: OwnerReference },
  own: {
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly spec?: Partial<PodSpec>;
  } = {},
): KubeObject {
  const { finalizers } = metadata;
  const annotations = own.annotations
    ? { ...metadata.annotations, ...own.annotations }
    : metadata.annotations;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: `${owner.reference.name}-`,
      ...(owner.namespace && { namespace: owner.namespace }),
      labels: { ...metadata.labels, ...own.labels },
      ...(annotations && { annotations }),
      ...(finalizers && { finalizers }),
      ownerReferences: [owner.reference],
    },
    spec: { ...spec, ...own.spec },
  };
}
