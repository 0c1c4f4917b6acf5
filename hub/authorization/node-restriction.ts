import { isDeepStrictEqual } from 'node:util';
import type { Registry } from '../registry/registry.ts';
import { type ApiError, forbidden, notFound } from '../resources/api-error.ts';
import { MIRROR_ANNOTATION } from '../resources/mirror-pod.ts';
import type { KubeObject } from '../resources/object.ts';
import { referencesOf } from '../resources/pod-spec-references.ts';
import {
  leases,
  nodes,
  persistentVolumeClaims,
  pods,
  serviceAccounts,
} from '../resources/table-of-resources.ts';
import type { NodeObject, PodObject } from '../resources/typed.ts';
import { KEY_ANNOTATION, SEALING_KEY_ANNOTATION } from '../security/node-identity.ts';
import { nodeIdentity } from './node-authorizer.ts';
import type { AdmittedWrite } from './write-checks.ts';

/* What a device may write into what it may write at all: nothing that would draw work to it or make it another. */

const LEASE_NAMESPACE = 'kube-node-lease';
const RESTRICTED_DOMAIN = 'node-restriction.kubernetes.io';
/** Labels of Kubernetes' domains that a device knows of itself. */
const NODE_LABELS = [
  'kubernetes.io/hostname',
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'node.kubernetes.io/instance-type',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/instance-type',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
];
const NODE_LABEL_DOMAINS = ['kubelet.kubernetes.io', 'node.kubernetes.io'];
/** Who a device is was pinned when it enrolled. */
const PINNED = [KEY_ANNOTATION, SEALING_KEY_ANNOTATION];

/** Throws 403 for what a device may not write; others are none of its business. */
export function checkNodeRestriction(registry: Registry, write: AdmittedWrite): void {
  const node = nodeIdentity(write.user);
  if (node === undefined) return;
  const why = node === '' ? unknownNode(write) : problemOf(registry, node, write);
  if (typeof why === 'string') throw forbidden(write.resource, write.name, why);
  if (why) throw why;
}

function unknownNode({ user }: AdmittedWrite): string {
  return `could not determine node from user ${JSON.stringify(user.name)}`;
}

/** A refusal's reason, or another error; undefined when nothing is wrong. */
function problemOf(registry: Registry, node: string, write: AdmittedWrite): string | ApiError | undefined {
  switch (write.resource) {
    case nodes:
      return nodeProblem(node, write);
    case pods:
      return podProblem(registry, node, write);
    case persistentVolumeClaims:
      return write.subresource === 'status' ? undefined : 'may only update PVC status';
    case serviceAccounts:
      return write.subresource === 'token' ? tokenProblem(registry, node, write) : undefined;
    case leases:
      return leaseProblem(node, write);
    default:
      return undefined;
  }
}

function nodeProblem(node: string, { name, object, old }: AdmittedWrite): string | undefined {
  const mine = JSON.stringify(node);
  if (name !== node) return `node ${mine} is not allowed to modify node ${JSON.stringify(name)}`;
  if (!object) return undefined;
  const labels = forbiddenLabels(changedKeys(object.metadata.labels, old?.metadata.labels));
  if (!old && labels.length > 0)
    return `node ${mine} is not allowed to set the following labels: ${labels.join(', ')}`;
  if (old && !isDeepStrictEqual(taintsOf(object), taintsOf(old)))
    return `node ${mine} is not allowed to modify taints`;
  if (labels.length > 0) return `is not allowed to modify labels: ${labels.join(', ')}`;
  const { annotations } = object.metadata;
  const pinned = changedKeys(annotations, old?.metadata.annotations).filter((key) => PINNED.includes(key));
  if (pinned.length > 0) return `node ${mine} is not allowed to modify annotations: ${pinned.join(', ')}`;
  return undefined;
}

function taintsOf(object: KubeObject): object {
  return (object as NodeObject).spec?.taints ?? [];
}

type Texts = Readonly<Record<string, string>> | undefined;

function changedKeys(now: Texts = {}, before: Texts = {}): string[] {
  const keys = new Set([...Object.keys(now), ...Object.keys(before)]);
  return [...keys].filter((key) => now[key] !== before[key]).sort();
}

function forbiddenLabels(keys: readonly string[]): string[] {
  return keys.filter((key) => {
    const domain = key.includes('/') ? (key.split('/')[0] ?? '') : '';
    const isWithin = (parent: string) => domain === parent || domain.endsWith(`.${parent}`);
    if (isWithin(RESTRICTED_DOMAIN)) return true;
    const isOfKubernetes = isWithin('kubernetes.io') || isWithin('k8s.io');
    return isOfKubernetes && !NODE_LABELS.includes(key) && !NODE_LABEL_DOMAINS.some(isWithin);
  });
}

function podProblem(registry: Registry, node: string, write: AdmittedWrite): string | ApiError | undefined {
  const { operation, subresource, namespace, name, object } = write;
  const mine = JSON.stringify(node);
  if (operation === 'CREATE' && !subresource) return mirrorPodProblem(registry, node, object as PodObject);
  const pod = (write.old ?? registry.get(pods, namespace, name)) as PodObject | undefined;
  if (!pod) return notFound(pods, name);
  const isMine = pod.spec.nodeName === node;
  switch (subresource) {
    case undefined:
      if (operation !== 'DELETE')
        return `unexpected operation "${operation}", node ${mine} can only create and delete mirror pods`;
      return isMine ? undefined : `node ${mine} can only delete pods with spec.nodeName set to itself`;
    case 'status':
      if (!isMine) return `node ${mine} can only update pod status for pods with spec.nodeName set to itself`;
      return changedKeys(object?.metadata.labels, pod.metadata.labels).length > 0
        ? `node ${mine} cannot update labels through pod status`
        : undefined;
    case 'eviction':
      return isMine ? undefined : `node ${node} can only evict pods with spec.nodeName set to itself`;
    default:
      return `unexpected pod subresource "${subresource}", only 'status' and 'eviction' are allowed`;
  }
}

/** A pod that tells of what the device runs by itself: bound to it, owned by it, and referring to nothing. */
function mirrorPodProblem(
  registry: Registry,
  node: string,
  { metadata, spec }: PodObject,
): string | ApiError | undefined {
  const mine = `node ${JSON.stringify(node)}`;
  if (metadata.annotations?.[MIRROR_ANNOTATION] === undefined)
    return `pod does not have "${MIRROR_ANNOTATION}" annotation, ${mine} can only create mirror pods`;
  if (spec.nodeName !== node) return `${mine} can only create pods with spec.nodeName set to itself`;
  const owner = ownerProblem(registry, node, metadata.ownerReferences ?? []);
  if (owner) return owner;
  if (spec.serviceAccountName) return `${mine} can not create pods that reference a service account`;
  const { secrets, configMaps } = referencesOf(spec);
  if (secrets.length > 0) return `${mine} can not create pods that reference secrets`;
  if (configMaps.length > 0) return `${mine} can not create pods that reference configmaps`;
  if (spec.volumes?.some(({ persistentVolumeClaim }) => persistentVolumeClaim))
    return `${mine} can not create pods that reference persistentvolumeclaims`;
  return undefined;
}

function ownerProblem(
  registry: Registry,
  node: string,
  owners: NonNullable<KubeObject['metadata']['ownerReferences']>,
): string | ApiError | undefined {
  const mine = `node ${JSON.stringify(node)}`;
  const [owner] = owners;
  if (owners.length > 1) return `${mine} can only create pods with a single owner reference set to itself`;
  if (owner?.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== node)
    return `${mine} can only create pods with an owner reference set to itself`;
  if (!owner.controller)
    return `${mine} can only create pods with a controller owner reference set to itself`;
  if (owner.blockOwnerDeletion) return `${mine} must not set blockOwnerDeletion on an owner reference`;
  const uid = registry.get(nodes, undefined, node)?.metadata.uid;
  if (uid === undefined) return notFound(nodes, node);
  return owner.uid === uid ? undefined : `node ${node} UID mismatch: expected ${owner.uid} got ${uid}`;
}

function tokenProblem(
  registry: Registry,
  node: string,
  { namespace, object }: AdmittedWrite,
): string | ApiError | undefined {
  const { boundObjectRef: ref } = (object?.spec ?? {}) as {
    boundObjectRef?: { apiVersion?: string; kind?: string; name?: string; uid?: string };
  };
  if (ref?.apiVersion !== 'v1' || ref.kind !== 'Pod' || !ref.name)
    return 'node requested token not bound to a pod';
  if (!ref.uid) return 'node requested token with a pod binding without a uid';
  const pod = registry.get(pods, namespace, ref.name) as PodObject | undefined;
  if (!pod) return notFound(pods, ref.name);
  if (pod.metadata.uid !== ref.uid)
    return `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`;
  return pod.spec.nodeName === node
    ? undefined
    : 'node requested token bound to a pod scheduled on a different node';
}

function leaseProblem(node: string, { namespace, name }: AdmittedWrite): string | undefined {
  if (namespace !== LEASE_NAMESPACE)
    return `can only access leases in the "${LEASE_NAMESPACE}" system namespace`;
  return name === node ? undefined : 'can only access node lease with the same name as the requesting node';
}
