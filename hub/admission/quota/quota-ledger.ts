import type { Registry, WatchEvent } from '../../registry/registry.ts';
import type { ResourceDefinition } from '../../resources/definition.ts';
import { objectKey } from '../../resources/object.ts';
import type { Quantity } from '../../resources/quantity.ts';
import { resourceQuotas } from '../../resources/table-of-resources.ts';
import type { ResourceQuotaObject } from '../../resources/typed.ts';
import { countName, isInScope, minus, plus, type Usage, usageOf } from './usage.ts';

const ZERO: Quantity = { value: 0n, scale: 0, format: 'decimal' };

/** One quota: what is used, counted from the objects themselves, and what writes that are under way will take. */
export interface QuotaAccount {
  readonly quota: ResourceQuotaObject;
  /** Stored and under way together. */
  used(name: string): Quantity;
  /** Stored. */
  stored(name: string): Quantity;
  /** Takes it until the function is called. */
  reserve(usage: Usage): () => void;
}

/**
 * Counts what each ResourceQuota is about, and nothing else: an account follows its namespace's objects from the moment
 * that the quota is there. This process is the only writer, so that a reservation in memory is enough for two creates
 * never to take the last place together.
 */
export class QuotaLedger {
  readonly #registry: Registry;
  readonly #accounts = new Map<string, Map<string, Account>>(); // by namespace, then name
  readonly #stop: () => void;
  /** Told of the key of every quota whose usage may be another than before. */
  onChange: (key: string) => void = () => {};

  constructor(registry: Registry) {
    this.#registry = registry;
    this.#stop = registry.watch(resourceQuotas, {}, (event) => this.#quotaChanged(event));
  }

  /** The quotas of a namespace. */
  of(namespace: string): readonly QuotaAccount[] {
    return [...(this.#accounts.get(namespace)?.values() ?? [])];
  }

  close(): void {
    this.#stop();
    for (const accounts of this.#accounts.values()) for (const account of accounts.values()) account.close();
  }

  #quotaChanged(event: WatchEvent): void {
    if (event.type === 'SYNCED') return;
    const quota = event.object as ResourceQuotaObject;
    const { namespace = '', name = '' } = quota.metadata;
    const accounts = this.#accounts.get(namespace) ?? new Map<string, Account>();
    const before = accounts.get(name);
    if (event.type === 'DELETED') {
      before?.close();
      accounts.delete(name);
      if (accounts.size === 0) this.#accounts.delete(namespace);
      return;
    }
    this.#accounts.set(namespace, accounts);
    if (before?.isOf(quota)) {
      before.quota = quota;
    } else {
      before?.close();
      accounts.set(name, new Account(this.#registry, quota, () => this.onChange(objectKey(quota))));
    }
    this.onChange(objectKey(quota));
  }
}

class Account implements QuotaAccount {
  quota: ResourceQuotaObject;
  readonly #stored = new Map<string, Quantity>();
  readonly #reserved = new Map<string, Quantity>();
  readonly #byObject = new Map<string, Usage>(); // by uid
  readonly #end: () => void;
  readonly #changed: () => void;

  constructor(registry: Registry, quota: ResourceQuotaObject, changed: () => void) {
    this.quota = quota;
    this.#changed = changed;
    const { namespace = '' } = quota.metadata;
    this.#end = registry.watchAll(
      (resource) => resource.namespaced && isAbout(quota, resource),
      (resource, event) => this.#follow(resource, event),
      { namespace },
    );
  }

  isOf({ metadata, spec }: ResourceQuotaObject): boolean {
    const before = this.quota;
    return metadata.uid === before.metadata.uid && JSON.stringify(spec) === JSON.stringify(before.spec);
  }

  used(name: string): Quantity {
    return plus(this.#reserved.get(name), this.stored(name));
  }

  stored(name: string): Quantity {
    return this.#stored.get(name) ?? ZERO;
  }

  reserve(usage: Usage): () => void {
    for (const [name, amount] of usage) this.#reserved.set(name, plus(this.#reserved.get(name), amount));
    return () => {
      for (const [name, amount] of usage) {
        const left = minus(this.#reserved.get(name), amount);
        if (left.value === 0n) this.#reserved.delete(name);
        else this.#reserved.set(name, left);
      }
    };
  }

  close(): void {
    this.#end();
  }

  #follow(resource: ResourceDefinition, event: WatchEvent): void {
    if (event.type === 'SYNCED') return;
    const { object } = event;
    const { uid = '' } = object.metadata;
    const before = this.#byObject.get(uid);
    const isCounted = event.type !== 'DELETED' && isInScope(this.quota.spec, resource, object);
    const now = isCounted ? usageOf(resource, object) : undefined;
    for (const [name, amount] of before ?? []) this.#stored.set(name, minus(this.#stored.get(name), amount));
    for (const [name, amount] of now ?? []) this.#stored.set(name, plus(this.#stored.get(name), amount));
    if (now) this.#byObject.set(uid, now);
    else this.#byObject.delete(uid);
    this.#changed();
  }
}

const OF_PODS =
  /^(pods|count\/pods|cpu|memory|ephemeral-storage|limits\..*|requests\.(?!storage$).*|hugepages-.*)$/;

/** Whether objects of the resource can use up any of what the quota limits. */
function isAbout({ spec }: ResourceQuotaObject, resource: ResourceDefinition): boolean {
  const { group, plural } = resource;
  const counted = countName(resource);
  return Object.keys(spec.hard ?? {}).some((name) => {
    if (name === counted) return true;
    if (group !== '') return false;
    if (plural === 'pods') return OF_PODS.test(name);
    if (plural === 'persistentvolumeclaims')
      return name === plural || name === 'requests.storage' || name.includes('.storageclass.storage.k8s.io/');
    return name === plural || name.startsWith(`${plural}.`);
  });
}
