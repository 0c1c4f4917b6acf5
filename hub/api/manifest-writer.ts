import { randomUUID } from 'node:crypto';
import { accountGroups, authenticated, type User } from '../authentication/users.ts';
import type { Registry } from '../registry/registry.ts';
import { ApiError, badRequest } from '../resources/api-error.ts';
import { apiVersionOf, type ResourceDefinition } from '../resources/definition.ts';
import { type KubeObject, objectKey } from '../resources/object.ts';
import { accountUser } from '../resources/rbac-subjects.ts';
import { serviceAccounts } from '../resources/table-of-resources.ts';
import type { ParsedJson } from '../schema/parse-json.ts';
import { type Access, authorize, checkWrite } from './access.ts';
import { BODY_LIMIT_BYTES } from './body.ts';
import { checkProtected } from './delete.ts';
import type { Asking } from './exchange.ts';
import { parseYaml } from './parse-yaml.ts';
import { apply } from './patch.ts';
import type { ResourceRequest } from './request-info.ts';
import type { RequestLog, RequestObserver } from './request-log.ts';
import { ServedRegistry } from './served-registry.ts';

export interface ManifestWriterOptions {
  readonly registry: Registry;
  readonly access: Access;
  /** Whose writes they are, for managedFields and the audit log. */
  readonly fieldManager: string;
  /** Hear of every write, as of a request. */
  readonly observers?: readonly RequestObserver[];
  readonly now?: () => number;
}

interface Name {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
}

const APPLY_PATCH = 'application/apply-patch+yaml';

/**
 * Applies manifests on somebody's behalf, from within the hub: with the same decoding, authorization and checks as if
 * they had sent them to the API themselves.
 */
export class ManifestWriter {
  readonly #options: ManifestWriterOptions;
  readonly #registry: ServedRegistry;
  readonly #now: () => number;

  constructor(options: ManifestWriterOptions) {
    this.#options = options;
    this.#registry = new ServedRegistry(options.registry);
    this.#now = options.now ?? Date.now;
  }

  /** One YAML or JSON document. Throws an ApiError that says where it is wrong. */
  parse(text: string): ParsedJson {
    return parseYaml(text, BODY_LIMIT_BYTES);
  }

  /** A service account, as whom something can be applied; undefined when there is none of that name. */
  account(namespace: string, name: string): User | undefined {
    const account = this.#registry.get(serviceAccounts, namespace, name);
    if (!account || account.metadata.deletionTimestamp) return undefined;
    const { uid } = account.metadata;
    return authenticated({
      name: accountUser(namespace, name),
      groups: accountGroups(namespace),
      ...(uid && { uid }),
    });
  }

  /** Whether objects of this kind are in a namespace; undefined for a kind that is not served. */
  isNamespaced(kind: Pick<Name, 'apiVersion' | 'kind'>): boolean | undefined {
    return this.#definitionOf(kind)?.namespaced;
  }

  /** The same for every version of the same object; undefined for a kind that is not served. */
  keyOf(name: Name): string | undefined {
    const resource = this.#definitionOf(name);
    if (!resource) return undefined;
    return this.keyOfStored(this.#registry.storedOf(resource)?.resource ?? resource, {
      metadata: { name: name.name, ...(name.namespace !== undefined && { namespace: name.namespace }) },
    });
  }

  /** The key of an object as the registry has it. */
  keyOfStored({ group, plural }: ResourceDefinition, object: Pick<KubeObject, 'metadata'>): string {
    return `${group} ${plural} ${objectKey(object)}`;
  }

  find(name: Name): KubeObject | undefined {
    const resource = this.#definitionOf(name);
    return resource && this.#registry.get(resource, name.namespace, name.name);
  }

  /**
   * Server-side apply that takes over the fields of others. Unknown fields are refused. Resolves with the object as it
   * then is, or with `dryRun` would be; rejects with an ApiError.
   */
  async apply(user: User, manifest: ParsedJson, name: Name, dryRun: boolean): Promise<KubeObject> {
    const target = this.#target('patch', name);
    return this.#heard(user, target, dryRun, async (asking) => {
      this.#authorize(user, target, 'patch');
      if (!this.find(name)) this.#authorize(user, target, 'create');
      const { fieldManager } = this.#options;
      const options = { fieldManager, dryRun, tracked: true, requester: user, warn: () => undefined };
      return (await apply(asking, target, manifest, options)).object;
    });
  }

  /** Only the very object that was seen before. Rejects with an ApiError. */
  async remove(user: User, name: Name, uid: string): Promise<void> {
    const target = this.#target('delete', name);
    await this.#heard(user, target, false, async (asking) => {
      this.#authorize(user, target, 'delete');
      checkProtected(target.resource, name.name);
      checkWrite(asking, target, undefined, this.find(name));
      const options = { requester: user, preconditions: { uid }, propagationPolicy: 'Background' as const };
      await this.#registry.delete(target.resource, target.namespace, name.name, options);
    });
  }

  #definitionOf({ apiVersion, kind }: Pick<Name, 'apiVersion' | 'kind'>): ResourceDefinition | undefined {
    return this.#registry.definitions.find(
      (each) => each.kind === kind && !each.verbs && apiVersionOf(each) === apiVersion,
    );
  }

  #target(verb: ResourceRequest['verb'], name: Name): ResourceRequest {
    const resource = this.#definitionOf(name);
    if (!resource)
      throw badRequest(
        `no matches for kind ${JSON.stringify(name.kind)} in version ${JSON.stringify(name.apiVersion)}`,
      );
    return {
      verb,
      resource,
      name: name.name,
      ...(resource.namespaced && { namespace: name.namespace ?? 'default' }),
    };
  }

  #authorize(user: User, { resource, namespace, name = '' }: ResourceRequest, verb: string): void {
    const where = namespace ?? (resource.group === '' && resource.plural === 'namespaces' ? name : undefined);
    authorize(this.#options.access.authorizer, user, {
      type: 'resource',
      verb,
      group: resource.group,
      resource: resource.plural,
      name,
      ...(where !== undefined && { namespace: where }),
    });
  }

  /** Runs a write, and has the observers hear of it unless it is a dry run. */
  async #heard<T>(
    user: User,
    target: ResourceRequest,
    dryRun: boolean,
    write: (asking: Asking) => Promise<T>,
  ): Promise<T> {
    const { fieldManager, access, observers = [] } = this.#options;
    const query = new URLSearchParams({ fieldManager, force: 'true', fieldValidation: 'Strict' });
    const asking: Asking = {
      context: { registry: this.#registry, access, now: this.#now },
      url: new URL(`https://hub${pathOf(target)}?${query}`),
      user,
      warnings: new Set(),
    };
    if (dryRun) return write(asking);
    const log = logOf(asking, target, fieldManager);
    for (const observer of observers) observer.started?.(log);
    let code = 200;
    try {
      return await write(asking);
    } catch (error) {
      code = error instanceof ApiError ? error.code : 500;
      throw error;
    } finally {
      for (const observer of observers) observer.ended(log, code, this.#now());
    }
  }
}

function pathOf({ resource, namespace, name = '' }: ResourceRequest): string {
  const root = resource.group ? 'apis' : 'api';
  const within = namespace === undefined ? [] : ['namespaces', namespace];
  const parts = [root, apiVersionOf(resource), ...within, resource.plural, encodeURIComponent(name)];
  return `/${parts.join('/')}`;
}

function logOf(
  { context, url, user }: Asking,
  { verb, resource, namespace, name = '' }: ResourceRequest,
  fieldManager: string,
): RequestLog {
  return {
    id: randomUUID(),
    method: verb.toUpperCase(),
    uri: `${url.pathname}${url.search}`,
    userAgent: fieldManager,
    sourceIp: '',
    contentType: verb === 'patch' ? APPLY_PATCH : '',
    receivedMs: context.now(),
    caller: user,
    user,
    servedVersion: resource.version,
    attributes: {
      type: 'resource',
      verb,
      group: resource.group,
      resource: resource.plural,
      name,
      ...(namespace !== undefined && { namespace }),
    },
  };
}
