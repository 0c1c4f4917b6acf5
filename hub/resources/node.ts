import type { Taint } from 'kubernetes-types/core/v1.d.ts';
import type { FieldError } from './api-error.ts';
import { ageColumn, column, nameColumn, wideColumn } from './cells.ts';
import { defineResource, specOf } from './define.ts';
import { duplicate, invalidValue, notSupported, required } from './field-errors.ts';
import { labelValueErrors, qualifiedNameErrors } from './names.ts';
import type { KubeObject } from './object.ts';
import type { NodeObject } from './typed.ts';

const ROLE_PREFIX = 'node-role.kubernetes.io/';
const ROLE_LABEL = 'kubernetes.io/role';
const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

function statusText(object: KubeObject): string {
  const { spec, status } = object as NodeObject;
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const text = !ready ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return spec.unschedulable ? `${text},SchedulingDisabled` : text;
}

function rolesText({ metadata: { labels = {} } }: KubeObject): string {
  const roles = Object.keys(labels)
    .filter((key) => key.startsWith(ROLE_PREFIX))
    .map((key) => key.slice(ROLE_PREFIX.length));
  if (labels[ROLE_LABEL]) roles.push(labels[ROLE_LABEL]);
  return [...new Set(roles)].filter(Boolean).sort().join(',') || '<none>';
}

function address(object: KubeObject, wanted: string): string {
  return (object as NodeObject).status?.addresses?.find(({ type }) => type === wanted)?.address ?? '<none>';
}

function info(object: KubeObject, key: 'kubeletVersion' | 'osImage' | 'containerRuntimeVersion'): string {
  return (object as NodeObject).status?.nodeInfo?.[key] || '<unknown>';
}

function kernelText(object: KubeObject): string {
  const { kernelVersion, architecture } = (object as NodeObject).status?.nodeInfo ?? {};
  if (!kernelVersion) return '<unknown>';
  return architecture ? `${kernelVersion} (${architecture})` : kernelVersion;
}

function taintErrors(taints: readonly Taint[]): FieldError[] {
  const seen = new Set<string>();
  return taints.flatMap(({ key, value = '', effect }, index) => {
    const field = `spec.taints[${index}]`;
    const errors = qualifiedNameErrors(key ?? '').map((detail) => invalidValue(`${field}.key`, key, detail));
    errors.push(...labelValueErrors(value).map((detail) => invalidValue(`${field}.value`, value, detail)));
    if (!effect) errors.push(required(`${field}.effect`));
    else if (!EFFECTS.includes(effect)) errors.push(notSupported(`${field}.effect`, effect, EFFECTS));
    if (seen.has(`${key}:${effect}`)) errors.push(duplicate(field, { key, effect }));
    seen.add(`${key}:${effect}`);
    return errors;
  });
}

export const nodes = defineResource({
  version: 'v1',
  kind: 'Node',
  plural: 'nodes',
  singular: 'node',
  shortNames: ['no'],
  namespaced: false,
  schema: 'io.k8s.api.core.v1.Node',
  hasStatus: true,
  setDefaults: (object) => {
    specOf(object);
  },
  validate: (object) => taintErrors((object as NodeObject).spec.taints ?? []),
  fieldSelectors: {
    'spec.unschedulable': (object) => `${(object as NodeObject).spec.unschedulable ?? false}`,
  },
  columns: [
    nameColumn,
    column('Status', 'The status of the node.', statusText),
    column('Roles', 'The roles of the node.', rolesText),
    ageColumn,
    column('Version', 'The version of the agent on the node.', (object) => info(object, 'kubeletVersion')),
    wideColumn('Internal-IP', 'The first internal address of the node.', (object) =>
      address(object, 'InternalIP'),
    ),
    wideColumn('External-IP', 'The first external address of the node.', (object) =>
      address(object, 'ExternalIP'),
    ),
    wideColumn('OS-Image', 'The operating system of the node.', (object) => info(object, 'osImage')),
    wideColumn('Kernel-Version', 'The kernel of the node.', kernelText),
    wideColumn('Container-Runtime', 'The container runtime of the node.', (object) =>
      info(object, 'containerRuntimeVersion'),
    ),
  ],
});
