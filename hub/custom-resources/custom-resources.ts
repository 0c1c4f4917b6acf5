import type { Registry } from '../registry/registry.ts';
import type { ResourceDefinition } from '../resources/definition.ts';
import type { KubeObject } from '../resources/object.ts';
import { compileDefinition } from './compile-definition.ts';
import { type DefinitionObject, isEstablished } from './custom-resource-definition.ts';
import { customResourceDefinitions } from './custom-resource-definitions.ts';

/** A registry that serves more than what is built in. */
export interface CustomizableRegistry extends Registry {
  serveCustom(custom: readonly ResourceDefinition[]): void;
}

interface Compiled {
  /** What of the definition the resource was made of. */
  readonly state: string;
  readonly resource: ResourceDefinition;
}

/**
 * Serves what is defined, from the moment that a definition is established until it is gone. A definition that changes
 * counts at once; one that does not is left alone, with all that others keep of it.
 */
export class CustomResources {
  readonly #registry: CustomizableRegistry;
  readonly #compiled = new Map<string, Compiled>();
  readonly #stop: () => void;
  #isSynced = false;

  constructor(registry: CustomizableRegistry) {
    this.#registry = registry;
    this.#stop = registry.watch(customResourceDefinitions, {}, (event) => {
      if (event.type === 'SYNCED') {
        this.#isSynced = true;
        this.#serve();
      } else if (this.#follow(event.type === 'DELETED', event.object) && this.#isSynced) {
        this.#serve();
      }
    });
  }

  close(): void {
    this.#stop();
  }

  /** Whether anything else is to be served now. */
  #follow(isGone: boolean, object: KubeObject): boolean {
    const definition = object as DefinitionObject;
    const { name = '', uid, generation, deletionTimestamp = '' } = definition.metadata;
    if (isGone || !isEstablished(definition)) return this.#compiled.delete(name);
    const state = `${uid} ${generation} ${deletionTimestamp}`;
    if (this.#compiled.get(name)?.state === state) return false;
    this.#compiled.set(name, { state, resource: compileDefinition(definition) });
    return true;
  }

  #serve(): void {
    this.#registry.serveCustom([...this.#compiled.values()].map(({ resource }) => resource));
  }
}
