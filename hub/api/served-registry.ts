import type {
  DeleteOptions,
  ObjectList,
  Registry,
  Selection,
  UpdateOptions,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from '../registry/registry.ts';
import { invalid } from '../resources/api-error.ts';
import { bindings } from '../resources/binding.ts';
import type { ResourceDefinition } from '../resources/definition.ts';
import type { KubeObject } from '../resources/object.ts';
import { resourceMetrics } from '../resources/resource-metrics.ts';
import { reviews } from '../resources/reviews.ts';
import { viewsOf } from '../resources/views.ts';

/** How a resource that is served stands to the one that is stored. */
export interface Stored {
  readonly resource: ResourceDefinition;
  readonly fromStored: (object: KubeObject) => KubeObject;
  readonly toStored: (object: KubeObject) => KubeObject;
  /** For writes to what is stored. */
  readonly write: Pick<WriteOptions, 'as'>;
}

/**
 * The registry as the API serves it: with every view of a kind beside the kind itself. Objects are converted on their
 * way through, so that neither the handlers nor the registry behind know of more than one form.
 */
export class ServedRegistry implements Registry {
  readonly #registry: Registry;
  readonly #views = new WeakMap<ResourceDefinition, Stored>(); // also of kinds that go while a request is under way
  readonly #seen = new WeakMap<KubeObject, Map<ResourceDefinition, KubeObject>>();
  #known: readonly ResourceDefinition[] | undefined; // the registry's definitions that #definitions was made of
  #definitions: readonly ResourceDefinition[] = [];

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** What is stored, its views, then what is computed when it is asked for. The same list as long as the registry's is the same. */
  get definitions(): readonly ResourceDefinition[] {
    const { definitions } = this.#registry;
    if (this.#known !== definitions) this.#read(definitions);
    return this.#definitions;
  }

  get revision(): number {
    return this.#registry.revision;
  }

  #read(definitions: readonly ResourceDefinition[]): void {
    const views = definitions.flatMap((resource) =>
      viewsOf(resource).map(({ definition, ...conversion }) => {
        const hasOwnRules = resource.views?.some((view) => view.definition === definition);
        this.#views.set(definition, {
          resource,
          ...conversion,
          write: hasOwnRules ? { as: definition } : {},
        });
        return definition;
      }),
    );
    const served = [...definitions, ...views].filter(({ isServed }) => isServed !== false);
    this.#definitions = [...served, bindings, ...reviews, ...resourceMetrics];
    this.#known = definitions;
  }

  /** For who must work on what is stored: server-side apply. Undefined for a resource that is stored as it is served. */
  storedOf(resource: ResourceDefinition): Stored | undefined {
    return this.#views.get(resource);
  }

  /** The same object each time, so that what others keep beside an object is kept once. */
  #seenAs(view: ResourceDefinition, { fromStored }: Stored, object: KubeObject): KubeObject {
    const forms = this.#seen.get(object) ?? new Map<ResourceDefinition, KubeObject>();
    const form = forms.get(view) ?? fromStored(object);
    this.#seen.set(object, forms.set(view, form));
    return form;
  }

  #selection<T extends Selection>(view: ResourceDefinition, stored: Stored, selection: T): T {
    const { matches } = selection;
    if (!matches) return selection;
    return { ...selection, matches: (object: KubeObject) => matches(this.#seenAs(view, stored, object)) };
  }

  get(resource: ResourceDefinition, namespace: string | undefined, name: string): KubeObject | undefined {
    const stored = this.storedOf(resource);
    if (!stored) return this.#registry.get(resource, namespace, name);
    const object = this.#registry.get(stored.resource, namespace, name);
    return object && this.#seenAs(resource, stored, object);
  }

  list(resource: ResourceDefinition, selection: Selection = {}): ObjectList {
    const stored = this.storedOf(resource);
    if (!stored) return this.#registry.list(resource, selection);
    const list = this.#registry.list(stored.resource, this.#selection(resource, stored, selection));
    return { ...list, items: list.items.map((object) => this.#seenAs(resource, stored, object)) };
  }

  count(resource: ResourceDefinition): number {
    return this.#registry.count(this.storedOf(resource)?.resource ?? resource);
  }

  byIndex(resource: ResourceDefinition, index: string, value: string): readonly KubeObject[] {
    const stored = this.storedOf(resource);
    if (!stored) return this.#registry.byIndex(resource, index, value);
    const objects = this.#registry.byIndex(stored.resource, index, value);
    return objects.map((object) => this.#seenAs(resource, stored, object));
  }

  dependentsOf(uid: string): ReturnType<Registry['dependentsOf']> {
    return this.#registry.dependentsOf(uid);
  }

  watch(
    resource: ResourceDefinition,
    options: WatchOptions,
    listener: (event: WatchEvent) => void,
  ): () => void {
    const stored = this.storedOf(resource);
    if (!stored) return this.#registry.watch(resource, options, listener);
    return this.#registry.watch(stored.resource, this.#selection(resource, stored, options), (event) =>
      listener(
        event.type === 'SYNCED' ? event : { ...event, object: this.#seenAs(resource, stored, event.object) },
      ),
    );
  }

  watchAll(...options: Parameters<Registry['watchAll']>): () => void {
    return this.#registry.watchAll(...options);
  }

  checkConnection(...connection: Parameters<Registry['checkConnection']>): void {
    this.#registry.checkConnection(...connection);
  }

  async create(resource: ResourceDefinition, object: KubeObject, options: WriteOptions): Promise<KubeObject> {
    const stored = this.storedOf(resource);
    if (!stored) return this.#registry.create(resource, object, options);
    const made = await this.#registry.create(stored.resource, created(resource, stored, object), {
      ...options,
      ...stored.write,
    });
    return this.#seenAs(resource, stored, made);
  }

  async update(
    resource: ResourceDefinition,
    object: KubeObject,
    options: UpdateOptions,
  ): Promise<KubeObject> {
    const stored = this.storedOf(resource);
    if (!stored) return this.#registry.update(resource, object, options);
    const updated = await this.#registry.update(stored.resource, stored.toStored(object), {
      ...options,
      ...stored.write,
    });
    return this.#seenAs(resource, stored, updated);
  }

  async modify(
    resource: ResourceDefinition,
    namespace: string | undefined,
    name: string,
    change: (current: KubeObject | undefined) => KubeObject,
    options: UpdateOptions,
  ): Promise<{ object: KubeObject; created: boolean }> {
    const stored = this.storedOf(resource);
    if (!stored) return this.#registry.modify(resource, namespace, name, change, options);
    const changeStored = (current: KubeObject | undefined) => {
      const seen = current && this.#seenAs(resource, stored, current);
      const next = change(seen);
      if (!current) return created(resource, stored, next);
      return next === seen ? current : stored.toStored(next);
    };
    const result = await this.#registry.modify(stored.resource, namespace, name, changeStored, {
      ...options,
      ...stored.write,
    });
    return { ...result, object: this.#seenAs(resource, stored, result.object) };
  }

  async delete(
    resource: ResourceDefinition,
    namespace: string | undefined,
    name: string,
    options: DeleteOptions,
  ): Promise<{ object: KubeObject; removed: boolean }> {
    const stored = this.storedOf(resource);
    if (!stored) return this.#registry.delete(resource, namespace, name, options);
    const { object, removed } = await this.#registry.delete(stored.resource, namespace, name, options);
    return { object: this.#seenAs(resource, stored, object), removed };
  }
}

/** Throws 422 for what is wrong in the form that it was written in. */
function created(view: ResourceDefinition, stored: Stored, object: KubeObject): KubeObject {
  const errors = view.validate?.(object, undefined) ?? [];
  if (errors.length > 0) throw invalid(view.group, view.kind, object.metadata.name ?? '', errors);
  return stored.toStored(object);
}
