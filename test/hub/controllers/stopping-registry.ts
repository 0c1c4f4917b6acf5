import type { StoreRegistry } from '../../../hub/registry/store-registry.ts';
import { events } from '../../../hub/resources/table-of-resources.ts';

/** A hub that stops for good after so many writes of its controllers. */
export function stoppingAfter(
  registry: StoreRegistry,
  writes: number,
): { registry: StoreRegistry; stopped: () => boolean } {
  let left = writes;
  const refuse =
    (bound: (...args: unknown[]) => unknown) =>
    (...args: unknown[]) => {
      if (args[0] === events) return bound(...args);
      left -= 1;
      return left >= 0 ? bound(...args) : Promise.reject(new Error('the hub has stopped'));
    };
  const get = (target: StoreRegistry, key: string) => {
    const value: unknown = Reflect.get(target, key, target);
    if (typeof value !== 'function') return value;
    const bound = value.bind(target) as (...args: unknown[]) => unknown;
    return ['create', 'update', 'modify', 'delete'].includes(key) ? refuse(bound) : bound;
  };
  return { registry: new Proxy(registry, { get }) as StoreRegistry, stopped: () => left < 0 };
}
