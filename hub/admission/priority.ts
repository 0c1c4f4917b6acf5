import type { Registry } from '../registry/registry.ts';
import { forbidden } from '../resources/api-error.ts';
import { pods, priorityClasses } from '../resources/table-of-resources.ts';
import type { PodObject, PriorityClassObject } from '../resources/typed.ts';
import { creates } from './is-resource.ts';
import type { AdmissionPlugin } from './plugin.ts';

/** A pod's priority is that of its class, or of the one that is the default for all. */
export function priority(registry: Registry): AdmissionPlugin {
  return {
    complete: (request) => {
      if (!creates(request, pods)) return;
      const pod = request.object as PodObject;
      const { spec } = pod;
      const { metadata, value, preemptionPolicy } = classOf(registry, pod) ?? NO_CLASS;
      if (spec.priority !== undefined && spec.priority !== value) {
        const why = `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`;
        throw forbidden(pods, pod.metadata.name ?? '', why);
      }
      if (metadata?.name) spec.priorityClassName = metadata.name;
      spec.priority = value;
      spec.preemptionPolicy ??= preemptionPolicy ?? 'PreemptLowerPriority';
    },
  };
}

const NO_CLASS: Partial<PriorityClassObject> & { value: number } = { value: 0 };

function classOf(registry: Registry, { spec, metadata }: PodObject): PriorityClassObject | undefined {
  if (!spec.priorityClassName) return defaultClass(registry);
  const found = registry.get(priorityClasses, undefined, spec.priorityClassName);
  if (found) return found as PriorityClassObject;
  const why = `no PriorityClass with name ${spec.priorityClassName} was found`;
  throw forbidden(pods, metadata.name ?? '', why);
}

/** Of several defaults, that of the lowest value. */
function defaultClass(registry: Registry): PriorityClassObject | undefined {
  const classes = registry.list(priorityClasses).items as readonly PriorityClassObject[];
  return classes.filter(({ globalDefault }) => globalDefault).sort((a, b) => a.value - b.value)[0];
}
