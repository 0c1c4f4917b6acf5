import type { NodeEvent } from '../../proto/gen/holdfast/v1/link_pb.ts';
import type { KubeObject } from '../resources/object.ts';
import { formatTime } from '../resources/time.ts';

const MAX_OBJECT_NAME_LENGTH = 200; // of 253, with room for what makes the name unique
/** Where events live of what is in no namespace. */
const CLUSTER_NAMESPACE = 'default';
const MAX_MESSAGE_LENGTH = 1024; // Kubernetes' limit

/** The Event of the API for one that a device recorded. Its name is the same each time, so that repetitions meet. */
export function eventObject(node: string, event: NodeEvent): KubeObject {
  const suffix = event.uid.replaceAll('-', '').slice(0, 16);
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: {
      name: `${event.name.slice(0, MAX_OBJECT_NAME_LENGTH)}.${suffix}`,
      namespace: event.namespace || CLUSTER_NAMESPACE,
    },
    involvedObject: {
      apiVersion: 'v1',
      kind: event.kind,
      ...(event.namespace && { namespace: event.namespace }),
      name: event.name,
      uid: event.objectUid,
      ...(event.fieldPath && { fieldPath: event.fieldPath }),
    },
    type: event.type,
    reason: event.reason,
    message: event.message.slice(0, MAX_MESSAGE_LENGTH),
    count: event.count,
    firstTimestamp: formatTime(Number(event.firstAtMs)),
    lastTimestamp: formatTime(Number(event.lastAtMs)),
    source: { component: 'holdfast-agent', host: node },
    reportingComponent: 'holdfast-agent',
    reportingInstance: node,
  };
}
