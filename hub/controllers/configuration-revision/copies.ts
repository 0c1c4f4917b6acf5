import { randomInt } from 'node:crypto';
import { COPY_OF_ANNOTATION, copyName, ID_LENGTH } from '../../fleet/configuration-stamp.ts';
import type { Registry } from '../../registry/registry.ts';
import type { ResourceDefinition } from '../../resources/definition.ts';
import type { KubeObject } from '../../resources/object.ts';
import { configMaps, secrets } from '../../resources/table-of-resources.ts';
import type { ConfigMapObject, SecretObject } from '../../resources/typed.ts';
import { sameJson } from '../../schema/json-type.ts';
import type { TemplateOwner } from '../configuration-seen.ts';
import { controllerReference } from '../ownership.ts';
import type { Copy } from './configuration-plan.ts';

/** Secrets that the hub itself keeps right: a copy would not be. */
const KEPT_BY_HUB = ['kubernetes.io/service-account-token', 'bootstrap.kubernetes.io/token'];
const ROOT_CERTIFICATE = 'kube-root-ca.crt';
const LABEL_LENGTH = 63;
const ID_LETTERS = 'bcdfghjklmnpqrstvwxz2456789';

const RESOURCES: readonly ResourceDefinition[] = [configMaps, secrets];

export function resourceOf(key: string): ResourceDefinition {
  return key.startsWith(`${secrets.kind}/`) ? secrets : configMaps;
}

/** What is there under `ConfigMap/name` or `Secret/name`, if it is to be copied. */
export function liveObject(
  registry: Registry,
  namespace: string | undefined,
  key: string,
): KubeObject | undefined {
  const object = registry.get(resourceOf(key), namespace, key.slice(key.indexOf('/') + 1));
  if (!object || object.metadata.name === ROOT_CERTIFICATE) return undefined;
  return KEPT_BY_HUB.includes((object as SecretObject).type ?? '') ? undefined : object;
}

/** All copies that a workload has. */
export function copiesOf(registry: Registry, { metadata: { uid = '' } }: KubeObject): readonly Copy[] {
  return RESOURCES.flatMap((resource) =>
    registry.byIndex(resource, 'controller', uid).flatMap((object) => {
      const { name = '', annotations } = object.metadata;
      const of = annotations?.[COPY_OF_ANNOTATION];
      return of === undefined ? [] : { key: `${resource.kind}/${of}`, id: name.slice(-ID_LENGTH), object };
    }),
  );
}

export function sameContent(a: KubeObject, b: KubeObject): boolean {
  return sameJson(contentOf(a), contentOf(b));
}

function contentOf(object: KubeObject): object {
  const { data = {}, binaryData = {} } = object as ConfigMapObject;
  return { data, binaryData, type: (object as SecretObject).type ?? '' };
}

/** The copy as it is to be created. Nobody can change it, and it goes with its workload. */
export function newCopy(resource: ResourceDefinition, workload: TemplateOwner, copy: Copy): KubeObject {
  const { name = '', namespace } = copy.object.metadata;
  const { data, binaryData } = copy.object as ConfigMapObject;
  const { type } = copy.object as SecretObject;
  const label = (workload.metadata.name ?? '').slice(0, LABEL_LENGTH).replace(/[^a-z0-9]+$/, '');
  return {
    apiVersion: 'v1',
    kind: resourceOf(copy.key).kind,
    metadata: {
      name: copyName(name, copy.id),
      ...(namespace && { namespace }),
      labels: { 'fleet.holdfast.dev/workload': label },
      annotations: { [COPY_OF_ANNOTATION]: name },
      ownerReferences: [controllerReference(resource, workload)],
    },
    ...(data && { data }),
    ...(binaryData && { binaryData }),
    ...(type && { type }),
    immutable: true,
  };
}

/** At random: whoever may see a workload must not be able to try out what is in its Secrets. */
export function newId(): string {
  return Array.from({ length: ID_LENGTH }, () => ID_LETTERS[randomInt(ID_LETTERS.length)]).join('');
}
