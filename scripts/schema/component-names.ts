import type { MessageDescriptor } from './descriptors.ts';
import type { Model } from './models.ts';

/** API groups by the name of their Go package; a component of any other package is no kind of ours. */
export const API_GROUPS: Readonly<Record<string, string>> = {
  core: '',
  apps: 'apps',
  batch: 'batch',
  autoscaling: 'autoscaling',
  policy: 'policy',
  coordination: 'coordination.k8s.io',
  events: 'events.k8s.io',
  rbac: 'rbac.authorization.k8s.io',
  authentication: 'authentication.k8s.io',
  authorization: 'authorization.k8s.io',
  apiextensions: 'apiextensions.k8s.io',
  certificates: 'certificates.k8s.io',
  discovery: 'discovery.k8s.io',
  networking: 'networking.k8s.io',
  node: 'node.k8s.io',
  scheduling: 'scheduling.k8s.io',
  storage: 'storage.k8s.io',
  admissionregistration: 'admissionregistration.k8s.io',
  meta: '',
};

/** kubectl carries no descriptors of apiextensions; these are its types. */
const APIEXTENSIONS =
  /^(Apiextensions)?V1(CustomResource\w+|JSONSchemaProps|ExternalDocumentation|SelectableField|ValidationRule|WebhookConversion|ServiceReference|WebhookClientConfig)$/;
const APIEXTENSIONS_PACKAGE = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1';

/** `RbacV1Subject`: a group where the name alone is ambiguous, the version, the type. */
const CLASS_NAME = /^([A-Z][a-z]+)?(V\d+(?:(?:alpha|beta)\d+)?)([A-Z]\w*)$/;

export interface NamedComponent {
  readonly component: string;
  readonly message: MessageDescriptor | undefined;
}

function packageSegments(name: string): { group: string; version: string } {
  const [version = '', group = ''] = name.split('.').reverse();
  return { group, version };
}

/** How many field names the model and the message share: tells types of one name in several groups apart. */
function likeness(model: Model, message: MessageDescriptor): number {
  const shared = model.fields.filter(({ name }) => message.fields.has(name)).length;
  return 2 * shared - model.fields.length - message.fields.size;
}

/** The dotted name of a model's type (`io.k8s.api.core.v1.Pod`); undefined for types that the API has no more. */
export function nameComponent(
  model: Model,
  byName: ReadonlyMap<string, readonly MessageDescriptor[]>,
): NamedComponent | undefined {
  const [, group, version = '', name = ''] = CLASS_NAME.exec(model.className) ?? [];
  if (APIEXTENSIONS.test(model.className) && !model.className.startsWith('Admission')) {
    return { component: `${APIEXTENSIONS_PACKAGE}.${name}`, message: undefined };
  }
  const candidates = (byName.get(name) ?? []).filter((message) => {
    const segments = packageSegments(message.package);
    return segments.version === version.toLowerCase() && (!group || segments.group === group.toLowerCase());
  });
  const [message] = candidates.sort((a, b) => likeness(model, b) - likeness(model, a));
  return message && { component: `${message.package.replace(/^k8s\.io/, 'io.k8s')}.${name}`, message };
}

/** Group and version of a component that belongs to one of our API groups. */
export function groupVersionOf(component: string): { group: string; version: string } | undefined {
  const segments = component.split('.');
  const [, version = '', name = ''] = segments.slice(-3).reverse();
  const group = API_GROUPS[name];
  return group === undefined ? undefined : { group, version };
}
