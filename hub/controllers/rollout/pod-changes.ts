import { encodePodUpdate, POD_UPDATE_ANNOTATION } from '../../../proto/pod-update.ts';
import type { Revision } from '../../fleet/rollout.ts';
import type { Registry } from '../../registry/registry.ts';
import type { KubeObject } from '../../resources/object.ts';
import { pods } from '../../resources/table-of-resources.ts';
import { sameJson } from '../../schema/json-type.ts';
import { unlessGone } from '../controller.ts';
import { changeExisting } from '../status.ts';
import type { Version, Workload, WorkloadKind } from './workload.ts';

/** A pod to be made on a device. */
export interface NewPod {
  readonly version: Version;
  readonly node: string;
  readonly annotations: Readonly<Record<string, string>>;
}

interface PodWorkloads {
  history(registry: Registry, workload: KubeObject): readonly Version[];
  newPod(registry: Registry, workload: Workload, pod: NewPod): KubeObject | undefined;
}

/** Who makes the changes: so they are told apart in managedFields and events. */
export const SOURCE = 'rollout-controller';
const OPTIONS = { fieldManager: SOURCE };

/** How devices are changed whose revisions are pods: what such kinds of workloads have in common. */
export function podChanges({
  history,
  newPod,
}: PodWorkloads): Pick<WorkloadKind, 'offer' | 'remove' | 'goneBack'> {
  return {
    offer: async (registry, workload, { rollout, node, next, update }) => {
      const annotations = { [POD_UPDATE_ANNOTATION]: encodePodUpdate(update) };
      if (next) {
        const change = (current: KubeObject) => ({
          ...current,
          metadata: { ...current.metadata, annotations: { ...current.metadata.annotations, ...annotations } },
        });
        await changeExisting(registry, pods, next, change, OPTIONS);
        return;
      }
      const version = { ...rollout.spec.to, template: (workload as Workload).spec.template };
      const pod = newPod(registry, workload as Workload, { version, node, annotations });
      if (pod) await registry.create(pods, pod, OPTIONS);
    },
    remove: async (registry, _workload, { metadata: { namespace, name = '', uid = '' } }) => {
      await unlessGone(registry.delete(pods, namespace, name, { preconditions: { uid } }));
    },
    goneBack: (registry, workload, from, to) => {
      const { spec } = workload as Workload;
      const templateOf = ({ hash }: Revision) =>
        history(registry, workload).find((each) => each.hash === hash)?.template;
      const [bad, stable] = [templateOf(from), templateOf(to)];
      // Somebody may have changed it meanwhile, which is as good.
      if (!bad || !stable || !sameJson(spec.template, bad)) return workload;
      return { ...workload, spec: { ...spec, template: stable } };
    },
  };
}
