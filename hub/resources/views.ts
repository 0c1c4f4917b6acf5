import { apiVersionOf, type Column, type ResourceDefinition, type ScaleMapping } from './definition.ts';
import type { KubeObject } from './object.ts';

/** A view as it is served, with the way between it and what is stored. */
export interface ServedView {
  readonly definition: ResourceDefinition;
  readonly fromStored: (object: KubeObject) => KubeObject;
  readonly toStored: (object: KubeObject) => KubeObject;
}

const made = new WeakMap<ResourceDefinition, readonly ServedView[]>();

/** The views of a kind; the same ones each time. */
export function viewsOf(stored: ResourceDefinition): readonly ServedView[] {
  const known = made.get(stored);
  if (known) return known;
  const views = makeViews(stored);
  made.set(stored, views);
  return views;
}

/**
 * A definition for each view of a kind. All that the stored kind can tell of its objects is asked of it, through the
 * conversion; what it does to them on a write (defaults, validation) is left to it, where the write ends.
 */
function makeViews(stored: ResourceDefinition): ServedView[] {
  return (stored.views ?? []).map((view) => {
    const { group, version, schema, validate } = view;
    const apiVersion = apiVersionOf(view);
    const fromStored = (object: KubeObject): KubeObject => ({ ...view.fromStored(object), apiVersion });
    const toStored = (object: KubeObject): KubeObject => ({
      ...view.toStored(object),
      apiVersion: apiVersionOf(stored),
    });
    if (view.definition) return { definition: view.definition, fromStored, toStored };
    const {
      views: _,
      setDefaults: _defaults,
      validate: _validate,
      scale,
      indexes: _indexes,
      ...rest
    } = stored;
    const fieldSelectors = view.fieldSelectors ?? through(stored.fieldSelectors, toStored);
    const definition: ResourceDefinition = {
      ...rest,
      group,
      version,
      schema,
      columns: stored.columns.map((column): Column => {
        const cell: Column['cell'] = (object, nowMs) => column.cell(toStored(object), nowMs);
        return { ...column, cell };
      }),
      ...(scale && { scale: scaleThrough(scale, fromStored, toStored) }),
      ...(validate && { validate }),
      ...(fieldSelectors && { fieldSelectors }),
    };
    return { definition, fromStored, toStored };
  });
}

function through(
  selectors: ResourceDefinition['fieldSelectors'],
  toStored: (object: KubeObject) => KubeObject,
): ResourceDefinition['fieldSelectors'] {
  if (!selectors) return undefined;
  return Object.fromEntries(
    Object.entries(selectors).map(([field, read]) => [field, (object: KubeObject) => read(toStored(object))]),
  );
}

function scaleThrough(
  scale: ScaleMapping,
  fromStored: (object: KubeObject) => KubeObject,
  toStored: (object: KubeObject) => KubeObject,
): ScaleMapping {
  return {
    replicas: (object) => scale.replicas(toStored(object)),
    statusReplicas: (object) => scale.statusReplicas(toStored(object)),
    selector: (object) => scale.selector(toStored(object)),
    withReplicas: (object, replicas) => fromStored(scale.withReplicas(toStored(object), replicas)),
  };
}
