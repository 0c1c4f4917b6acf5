import type { Registry } from '../registry/registry.ts';
import type { KubeObject } from '../resources/object.ts';
import { persistentVolumeClaims, storageClasses } from '../resources/table-of-resources.ts';
import { creates } from './is-resource.ts';
import type { AdmissionPlugin } from './plugin.ts';

const IS_DEFAULT = 'storageclass.kubernetes.io/is-default-class';

/** A claim that names no class gets the default one. An empty name is a name: it wants none. */
export function storageClass(registry: Registry): AdmissionPlugin {
  return {
    complete: (request) => {
      if (!creates(request, persistentVolumeClaims)) return;
      const spec = request.object.spec as { storageClassName?: string };
      if (spec.storageClassName !== undefined) return;
      const name = defaultClass(registry)?.metadata.name;
      if (name !== undefined) spec.storageClassName = name;
    },
  };
}

/** Of several defaults the newest, and of those the first by name. */
function defaultClass(registry: Registry): KubeObject | undefined {
  const defaults = registry
    .list(storageClasses)
    .items.filter(({ metadata }) => metadata.annotations?.[IS_DEFAULT] === 'true');
  const newest = (object: KubeObject) => object.metadata.creationTimestamp ?? '';
  return [...defaults].sort((a, b) => (newest(a) < newest(b) ? 1 : newest(a) > newest(b) ? -1 : 0))[0];
}
