import type { Registry } from '../registry/registry.ts';
import type { KubeObject } from '../resources/object.ts';
import { referencesOf } from '../resources/pod-spec-references.ts';
import { persistentVolumeClaims, pods } from '../resources/table-of-resources.ts';
import type { PersistentVolumeClaimObject, PodObject } from '../resources/typed.ts';
import { NODES_GROUP, nodeOfUser } from '../security/node-identity.ts';
import type { Attributes, Authorizer, Decision, ResourceAttributes, User, UserRules } from './attributes.ts';
import { NO_OPINION } from './attributes.ts';
import { NODE_RULES } from './node-rules.ts';
import { ruleAllows } from './rules.ts';

const ALLOWED: Decision = { allowed: true, reason: '' };
const LEASE_NAMESPACE = 'kube-node-lease';
const LEASE_VERBS = ['get', 'create', 'update', 'patch', 'delete'];
const READ_VERBS = ['get', 'list', 'watch'];
const CHANGE_VERBS = ['update', 'patch'];

const no = (reason: string): Decision => ({ allowed: false, reason });

/** The node that a user is: of the name of one, and of their group. */
export function nodeIdentity({ name, groups }: User): string | undefined {
  return groups.includes(NODES_GROUP) ? nodeOfUser(name) : undefined;
}

/**
 * What a device may do by itself: read and report what belongs to its node, and nothing that does not. What it may
 * write into what is its own, `node-restriction.ts` says.
 */
export class NodeAuthorizer implements Authorizer {
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  authorize(user: User, attributes: Attributes): Decision {
    const node = nodeIdentity(user);
    if (node === undefined) return NO_OPINION;
    if (node === '') return no(`unknown node for user ${JSON.stringify(user.name)}`);
    if (attributes.type === 'resource') {
      const decision = this.#ofRelated(node, attributes);
      if (decision) return decision;
    }
    return NODE_RULES.some((rule) => ruleAllows(rule, attributes)) ? ALLOWED : NO_OPINION;
  }

  rulesFor(user: User): UserRules {
    const isNode = nodeIdentity(user) !== undefined;
    return {
      resourceRules: [],
      nonResourceRules: [],
      incomplete: isNode,
      error: isNode ? 'node authorizer does not support user rule resolution' : '',
    };
  }

  /** Undefined for what is no node's more than another's. */
  #ofRelated(node: string, attributes: ResourceAttributes): Decision | undefined {
    const { group, resource, subresource } = attributes;
    switch (group ? `${resource}.${group}` : resource) {
      case 'secrets':
      case 'configmaps':
        return this.#read(node, attributes);
      case 'persistentvolumeclaims':
        return subresource === 'status' ? this.#changeStatus(node, attributes) : this.#get(node, attributes);
      case 'persistentvolumes':
        return this.#get(node, attributes);
      case 'serviceaccounts':
        return this.#createToken(node, attributes);
      case 'leases.coordination.k8s.io':
        return lease(node, attributes);
      case 'nodes':
        return ownNode(node, attributes);
      case 'pods':
        return this.#pod(node, attributes);
      default:
        return undefined;
    }
  }

  #read(node: string, attributes: ResourceAttributes): Decision {
    if (!READ_VERBS.includes(attributes.verb)) return no('can only read resources of this type');
    if (attributes.subresource) return no('cannot read subresource');
    if (!attributes.namespace) return no('can only read namespaced object of this type');
    return this.#related(node, attributes);
  }

  #get(node: string, attributes: ResourceAttributes): Decision {
    if (attributes.verb !== 'get') return no('can only get individual resources of this type');
    if (attributes.subresource) return no('cannot get subresource');
    return this.#related(node, attributes);
  }

  #changeStatus(node: string, attributes: ResourceAttributes): Decision {
    if (!CHANGE_VERBS.includes(attributes.verb)) return no('can only get/update/patch this type');
    return this.#related(node, attributes);
  }

  #createToken(node: string, attributes: ResourceAttributes): Decision {
    if (attributes.verb !== 'create' || !attributes.name)
      return no('can only create tokens for individual service accounts');
    if (attributes.subresource !== 'token') return no('can only create token subresource of serviceaccount');
    return this.#related(node, attributes);
  }

  #pod(node: string, attributes: ResourceAttributes): Decision {
    const { verb, subresource, name, fields } = attributes;
    if (subresource === 'status') return CHANGE_VERBS.includes(verb) ? ALLOWED : NO_OPINION;
    if (subresource === 'eviction') return verb === 'create' ? ALLOWED : NO_OPINION;
    if (subresource) return NO_OPINION;
    if (verb === 'create' || verb === 'delete') return ALLOWED;
    if (verb === 'get') return this.#get(node, attributes);
    if (verb !== 'list' && verb !== 'watch') return NO_OPINION;
    if (fields?.['spec.nodeName'] === node) return ALLOWED;
    if (name) return this.#related(node, attributes);
    return no('can only list/watch pods with spec.nodeName field selector');
  }

  #related(node: string, attributes: ResourceAttributes): Decision {
    if (!attributes.name) return no('No Object name found');
    if (this.#isRelated(node, attributes)) return ALLOWED;
    return no(`no relationship found between node '${node}' and this object`);
  }

  /** Through the pods of the node, of which there are few, whatever the size of the cluster. */
  #isRelated(node: string, { resource, namespace, name = '' }: ResourceAttributes): boolean {
    const mine = this.#registry.byIndex(pods, 'spec.nodeName', node) as readonly PodObject[];
    if (resource === 'persistentvolumes')
      return mine.some((pod) => claimsOf(pod).some((claim) => this.#volumeOf(pod, claim) === name));
    return mine.some((pod) => pod.metadata.namespace === namespace && uses(pod, resource, name));
  }

  #volumeOf(pod: KubeObject, claim: string): string | undefined {
    const object = this.#registry.get(persistentVolumeClaims, pod.metadata.namespace, claim);
    return (object as PersistentVolumeClaimObject | undefined)?.spec.volumeName;
  }
}

function claimsOf({ metadata, spec }: PodObject): string[] {
  return (spec.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }) => {
    if (persistentVolumeClaim) return [persistentVolumeClaim.claimName];
    return ephemeral ? [`${metadata.name}-${name}`] : [];
  });
}

function uses(pod: PodObject, resource: string, name: string): boolean {
  switch (resource) {
    case 'pods':
      return pod.metadata.name === name;
    case 'secrets':
      return referencesOf(pod.spec).secrets.includes(name);
    case 'configmaps':
      return referencesOf(pod.spec).configMaps.includes(name);
    case 'serviceaccounts':
      return pod.spec.serviceAccountName === name;
    default:
      return claimsOf(pod).includes(name);
  }
}

function lease(node: string, { verb, namespace, name }: ResourceAttributes): Decision {
  if (!LEASE_VERBS.includes(verb)) return no('can only get, create, update, patch, or delete a node lease');
  if (namespace !== LEASE_NAMESPACE)
    return no(`can only access leases in the "${LEASE_NAMESPACE}" system namespace`);
  if (verb !== 'create' && name !== node)
    return no('can only access node lease with the same name as the requesting node');
  return ALLOWED;
}

function ownNode(node: string, { verb, subresource, name }: ResourceAttributes): Decision {
  if (subresource === 'status') return CHANGE_VERBS.includes(verb) ? ALLOWED : NO_OPINION;
  if (subresource) return NO_OPINION;
  if (verb === 'create' || CHANGE_VERBS.includes(verb)) return ALLOWED;
  if (!READ_VERBS.includes(verb)) return NO_OPINION;
  if (name === node) return ALLOWED;
  if (!name) return no(`node '${node}' cannot read all nodes, only its own Node object`);
  return no(`node '${node}' cannot read '${name}', only its own Node object`);
}
