import { column, nameColumn, wideColumn } from './cells.ts';
import { defineResource } from './define.ts';
import { eventV1 } from './event-v1.ts';
import { invalidValue } from './field-errors.ts';
import { since } from './human-duration.ts';
import type { KubeObject } from './object.ts';
import type { EventObject } from './typed.ts';

/** Where events about things without a namespace live. */
const CLUSTER_NAMESPACES = ['default', 'kube-system'];

const involved = (object: KubeObject, key: keyof EventObject['involvedObject']) =>
  (object as EventObject).involvedObject[key] ?? '';

function lastSeen(event: EventObject): string | undefined {
  const { series, lastTimestamp, firstTimestamp, eventTime } = event;
  return series?.lastObservedTime ?? lastTimestamp ?? firstTimestamp ?? eventTime;
}

function objectText(object: KubeObject): string {
  const kind = involved(object, 'kind').toLowerCase();
  return kind ? `${kind}/${involved(object, 'name')}` : involved(object, 'name');
}

function sourceText(object: KubeObject): string {
  const { source, reportingComponent, reportingInstance } = object as EventObject;
  const component = source?.component || reportingComponent || '';
  const host = source?.host || reportingInstance || '';
  return host ? `${component}, ${host}` : component;
}

export const events = defineResource({
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  singular: 'event',
  shortNames: ['ev'],
  namespaced: true,
  schema: 'io.k8s.api.core.v1.Event',
  createOnUpdate: true,
  views: [eventV1],
  setDefaults: (object) => {
    (object as EventObject).involvedObject ??= {};
  },
  validate: (object) => {
    const { namespace } = object.metadata;
    const about = involved(object, 'namespace');
    const fits = about === '' ? CLUSTER_NAMESPACES.includes(namespace ?? '') : about === namespace;
    return fits ? [] : [invalidValue('involvedObject.namespace', about, 'does not match event.namespace')];
  },
  fieldSelectors: {
    'involvedObject.kind': (object) => involved(object, 'kind'),
    'involvedObject.namespace': (object) => involved(object, 'namespace'),
    'involvedObject.name': (object) => involved(object, 'name'),
    'involvedObject.uid': (object) => involved(object, 'uid'),
    'involvedObject.apiVersion': (object) => involved(object, 'apiVersion'),
    'involvedObject.resourceVersion': (object) => involved(object, 'resourceVersion'),
    'involvedObject.fieldPath': (object) => involved(object, 'fieldPath'),
    reason: (object) => (object as EventObject).reason ?? '',
    reportingComponent: (object) => (object as EventObject).reportingComponent ?? '',
    source: (object) => {
      const { source, reportingComponent } = object as EventObject;
      return source?.component || reportingComponent || '';
    },
    type: (object) => (object as EventObject).type ?? '',
  },
  columns: [
    column('Last Seen', 'The time of the most recent occurrence.', (object, nowMs) =>
      since(lastSeen(object as EventObject), nowMs),
    ),
    column('Type', 'Normal or Warning.', (object) => (object as EventObject).type ?? ''),
    column('Reason', 'Why it happened, in one word.', (object) => (object as EventObject).reason ?? ''),
    column('Object', 'What it is about.', objectText),
    wideColumn('Subobject', 'The part of the object.', (object) => involved(object, 'fieldPath')),
    wideColumn('Source', 'Who reports it.', sourceText),
    column('Message', 'What happened.', (object) => ((object as EventObject).message ?? '').trim()),
    wideColumn('First Seen', 'The time of the first occurrence.', (object, nowMs) => {
      const { firstTimestamp, eventTime } = object as EventObject;
      return since(firstTimestamp ?? eventTime, nowMs);
    }),
    wideColumn('Count', 'How often it occurred.', (object) => {
      const { series, count } = object as EventObject;
      return `${series?.count ?? (count || 1)}`;
    }),
    { ...nameColumn, priority: 1 },
  ],
});
