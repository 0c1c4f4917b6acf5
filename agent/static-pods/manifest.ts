import { createHash } from 'node:crypto';
import { canonicalJson } from '../../proto/canonical-json.ts';
import { allContainersOf, type Container, ownContainersOf, type Pod } from '../pod/pod.ts';
import { configurationNames } from '../pod/references.ts';
import { shapeProblem } from './pod-shape.ts';

/* What a file of the directory means. What reads YAML is loaded only for a file that is no JSON. */

export interface ManifestContext {
  readonly node: string;
  /** RFC 3339: when this content was first seen. */
  readonly seen: string;
}

const ANNOTATION = 'kubernetes.io/config';
const LABEL_NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LONGEST_NAME = 253;
const MOST_VALUES = 50_000;
/** As the kubelet: it stays whatever is the matter with the node. */
const TOLERATIONS = [{ operator: 'Exists', effect: 'NoExecute' }];

/** The pod of a manifest, as this device runs it. Rejects with what is wrong. */
export async function readManifest(text: string, { node, seen }: ManifestContext): Promise<Pod> {
  const value = await parse(text);
  const misshapen = shapeProblem(value);
  if (misshapen) throw new Error(misshapen);
  const said = withoutNulls(value) as Pod;
  const problem = podProblem(said, node);
  if (problem) throw new Error(problem);
  const { metadata, spec } = said;
  const { name, namespace = 'default', labels, annotations } = metadata;
  const pod = {
    apiVersion: 'v1' as const,
    kind: 'Pod' as const,
    metadata: { name: `${name}-${node}`, namespace, ...(labels && { labels }) },
    spec: completed(spec, node),
  };
  const uid = createHash('sha256')
    .update(canonicalJson({ ...pod, annotations: annotations ?? {} }))
    .digest('hex')
    .slice(0, 32);
  const own = { [`${ANNOTATION}.hash`]: uid, [`${ANNOTATION}.seen`]: seen, [`${ANNOTATION}.source`]: 'file' };
  return { ...pod, metadata: { ...pod.metadata, uid, annotations: { ...annotations, ...own } } };
}

async function parse(text: string): Promise<unknown> {
  if (text.trim() === '') throw new Error('it is empty');
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON, so YAML.
  }
  const { CORE_SCHEMA, loadAll, mergeTag } = await import('js-yaml');
  let documents: unknown[];
  try {
    documents = loadAll(text, { schema: CORE_SCHEMA.withTags(mergeTag) });
  } catch (error) {
    const { reason, mark } = error as { reason?: string; mark?: { line: number; column: number } };
    const where = mark ? `line ${mark.line + 1}, column ${mark.column + 1}: ` : '';
    throw new Error(`it is no YAML: ${where}${reason ?? (error as Error).message}`);
  }
  const [value, ...more] = documents.filter((document) => document !== null && document !== undefined);
  if (more.length > 0) throw new Error(`it has ${more.length + 1} documents: one pod a file`);
  if (value === undefined) throw new Error('it is empty');
  checkExpansion(value);
  return value;
}

/** Looks at all that aliases stand for, until it is too much: a few lines can mean more than a device has room for. */
function checkExpansion(value: unknown): void {
  const waiting = [value];
  for (let seen = 0; waiting.length > 0; seen += 1) {
    if (seen + waiting.length > MOST_VALUES) throw new Error('its aliases make too much of it');
    const item = waiting.pop();
    if (typeof item === 'object' && item !== null) waiting.push(...Object.values(item));
  }
}

function podProblem({ apiVersion, kind, metadata, spec }: Partial<Pod>, node: string): string | undefined {
  if (apiVersion !== 'v1' || kind !== 'Pod')
    return `it must be a Pod of apiVersion v1, is ${kind ?? 'nothing'}`;
  const { name, namespace = 'default' } = metadata ?? {};
  if (!name || !SUBDOMAIN.test(name)) return 'metadata.name must be a DNS subdomain';
  if (`${name}-${node}`.length > LONGEST_NAME) return 'metadata.name is too long with the name of the node';
  if (!LABEL_NAME.test(namespace)) return 'metadata.namespace must be a DNS label';
  if (!spec?.containers?.length) return 'spec.containers must have at least one container';
  const pod = { metadata, spec } as Pod;
  return containersProblem(pod) ?? volumesProblem(pod) ?? referenceProblem(pod);
}

function containersProblem(pod: Pod): string | undefined {
  const names = new Set<string>();
  for (const { name, image } of ownContainersOf(pod)) {
    if (!name || !LABEL_NAME.test(name))
      return `the name ${JSON.stringify(name)} of a container is no DNS label`;
    if (names.has(name)) return `two containers have the name ${name}`;
    if (!image) return `container ${name} has no image`;
    names.add(name);
  }
  return undefined;
}

function volumesProblem({ spec }: Pod): string | undefined {
  const names = new Set<string>();
  for (const { name } of spec.volumes ?? []) {
    if (!name || !LABEL_NAME.test(name))
      return `the name ${JSON.stringify(name)} of a volume is no DNS label`;
    if (names.has(name)) return `two volumes have the name ${name}`;
    names.add(name);
  }
  for (const { name, volumeMounts = [] } of ownContainersOf({ spec } as Pod))
    for (const mount of volumeMounts)
      if (!names.has(mount.name)) return `container ${name} mounts a volume ${mount.name} that is not there`;
  return undefined;
}

/** As in Kubernetes: what only an API server has can not be part of what runs without one. */
function referenceProblem(pod: Pod): string | undefined {
  const { spec } = pod;
  if ((spec.ephemeralContainers ?? []).length > 0) return 'a static pod cannot have ephemeral containers';
  const [reference] = configurationNames({ ...pod, metadata: { ...pod.metadata, namespace: '' } });
  if (reference) {
    const [kind, , name] = reference.split('/');
    return `a static pod cannot refer to a ${kind} (${name})`;
  }
  if (spec.serviceAccountName || spec.serviceAccount) return 'a static pod cannot have a service account';
  const sources = (spec.volumes ?? []).flatMap(({ projected }) => projected?.sources ?? []);
  if (sources.some(({ serviceAccountToken }) => serviceAccountToken))
    return 'a static pod cannot have a token of a service account';
  if ((spec.resourceClaims ?? []).length > 0) return 'a static pod cannot have resource claims';
  return undefined;
}

/** What an API server would have filled in, and the agent goes by. */
function completed(spec: Pod['spec'], node: string): Pod['spec'] {
  for (const container of allContainersOf({ spec } as Pod) as Container[]) {
    container.imagePullPolicy ||= pullPolicyFor(container.image ?? '');
    const { resources } = container;
    if (resources?.limits) resources.requests = { ...resources.limits, ...resources.requests };
  }
  for (const volume of spec.volumes ?? []) if (Object.keys(volume).length === 1) volume.emptyDir = {};
  return {
    ...spec,
    restartPolicy: spec.restartPolicy ?? 'Always',
    terminationGracePeriodSeconds: spec.terminationGracePeriodSeconds ?? 30,
    tolerations: [...(spec.tolerations ?? []), ...TOLERATIONS],
    nodeName: node,
  };
}

function pullPolicyFor(image: string): string {
  if (image.includes('@')) return 'IfNotPresent';
  const [, tag = 'latest'] = image.slice(image.lastIndexOf('/') + 1).split(':');
  return tag === 'latest' ? 'Always' : 'IfNotPresent';
}

/** As an API server stores it: to say nothing of a field is the same as not to have it. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  const there = Object.entries(value).filter(([, item]) => item !== null);
  return Object.fromEntries(there.map(([key, item]) => [key, withoutNulls(item)]));
}
