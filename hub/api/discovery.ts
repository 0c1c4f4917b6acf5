import { createHash } from 'node:crypto';
import { unknownPath } from '../resources/api-error.ts';
import { apiVersionOf, type ResourceDefinition } from '../resources/definition.ts';
import type { Exchange } from './exchange.ts';
import { parseAccept } from './negotiate.ts';
import { sendJson, sendText } from './reply.ts';

const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const PART_VERBS = ['get', 'patch', 'update'];

interface Kind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

interface Subresource {
  readonly name: string;
  readonly verbs: readonly string[];
  readonly kind: Kind;
}

/** What is below an object's path. The router serves these and no others. */
export function subresourcesOf(resource: ResourceDefinition): Subresource[] {
  const { group, version, kind } = resource;
  const own = { group, version, kind };
  return [
    ...(resource.subresources ?? []).map((each) => ({ kind: own, ...each })),
    ...Object.keys(resource.parts ?? {}).map((name) => ({ name, verbs: PART_VERBS, kind: own })),
    ...(resource.scale
      ? [{ name: 'scale', verbs: PART_VERBS, kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' } }]
      : []),
    ...(resource.hasStatus ? [{ name: 'status', verbs: PART_VERBS, kind: own }] : []),
  ];
}

function groupsOf(definitions: readonly ResourceDefinition[]): Map<string, ResourceDefinition[]> {
  const groups = new Map<string, ResourceDefinition[]>();
  for (const each of definitions) groups.set(each.group, [...(groups.get(each.group) ?? []), each]);
  return groups;
}

/** The preferred one first: stable before beta before alpha, then the higher number. */
function versionsOf(definitions: readonly ResourceDefinition[]): string[] {
  return [...new Set(definitions.map(({ version }) => version))].sort(byPreference);
}

function byPreference(a: string, b: string): number {
  const [left, right] = [rankOf(a), rankOf(b)];
  const at = left.findIndex((part, index) => part !== right[index]);
  return at < 0 ? a.localeCompare(b) : (right[at] ?? 0) - (left[at] ?? 0);
}

/** Stability, major number, minor number; zeros for what is no Kubernetes version. */
function rankOf(version: string): number[] {
  const [, major, stability, minor] = /^v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?$/.exec(version) ?? [];
  if (major === undefined) return [0, 0, 0];
  return [stability === undefined ? 3 : stability === 'beta' ? 2 : 1, Number(major), Number(minor ?? 0)];
}

function aggregatedList(groups: readonly [string, ResourceDefinition[]][]): object {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items: groups.map(([group, definitions]) => ({
      metadata: group ? { name: group } : {},
      versions: versionsOf(definitions).map((version) => ({
        version,
        freshness: 'Current',
        resources: definitions.filter((each) => each.version === version).map(aggregatedResource),
      })),
    })),
  };
}

function aggregatedResource(resource: ResourceDefinition): object {
  const { group, version, kind, plural, singular, shortNames, categories, namespaced } = resource;
  const { verbs = VERBS } = resource;
  return {
    resource: plural,
    responseKind: { group, version, kind },
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    verbs,
    ...(shortNames.length > 0 && { shortNames }),
    ...(categories.length > 0 && { categories }),
    subresources: subresourcesOf(resource).map((each) => ({
      subresource: each.name,
      responseKind: each.kind,
      verbs: each.verbs,
    })),
  };
}

function legacyGroup(group: string, definitions: readonly ResourceDefinition[]): object {
  const versions = versionsOf(definitions).map((version) => ({
    groupVersion: `${group}/${version}`,
    version,
  }));
  return { name: group, versions, preferredVersion: versions[0] };
}

function legacyResources(groupVersion: string, definitions: readonly ResourceDefinition[]): object {
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion,
    resources: definitions.flatMap((resource) => [
      legacyResource(resource),
      ...subresourcesOf(resource).map((each) => ({
        name: `${resource.plural}/${each.name}`,
        singularName: '',
        namespaced: resource.namespaced,
        ...(each.kind.group !== resource.group && { group: each.kind.group, version: each.kind.version }),
        kind: each.kind.kind,
        verbs: each.verbs,
      })),
    ]),
  };
}

function legacyResource({
  plural,
  singular,
  namespaced,
  kind,
  shortNames,
  categories,
  verbs = VERBS,
}: ResourceDefinition): object {
  return {
    name: plural,
    singularName: singular,
    namespaced,
    kind,
    verbs,
    ...(shortNames.length > 0 && { shortNames }),
    ...(categories.length > 0 && { categories }),
  };
}

/** Whether the client wants everything in one document; the preference is in the order of its Accept header. */
function aggregatedVersion(accept: string | undefined): string | undefined {
  for (const { type, parameters } of parseAccept(accept)) {
    if (type !== 'application/json') continue;
    if (parameters.get('as') === undefined) return undefined;
    const version = parameters.get('v');
    if (parameters.get('g') !== 'apidiscovery.k8s.io' || parameters.get('as') !== 'APIGroupDiscoveryList')
      continue;
    if (version === 'v2') return version;
  }
  return undefined;
}

function legacyDocument(segments: readonly string[], definitions: readonly ResourceDefinition[]): object {
  const [root, group, version] = segments;
  const groups = groupsOf(definitions);
  if (root === 'api') {
    const core = groups.get('') ?? [];
    if (group === undefined)
      return { kind: 'APIVersions', versions: versionsOf(core), serverAddressByClientCIDRs: [] };
    return resourcesOf(core, group);
  }
  const named = [...groups].filter(([name]) => name !== '');
  if (group === undefined)
    return {
      kind: 'APIGroupList',
      apiVersion: 'v1',
      groups: named.map(([name, each]) => legacyGroup(name, each)),
    };
  const members = group === '' ? undefined : groups.get(group);
  if (!members) throw unknownPath();
  if (version === undefined) return { kind: 'APIGroup', apiVersion: 'v1', ...legacyGroup(group, members) };
  return resourcesOf(members, version);
}

function resourcesOf(members: readonly ResourceDefinition[], version: string): object {
  const found = members.filter((each) => each.version === version);
  const [first] = found;
  if (!first) throw unknownPath();
  return legacyResources(apiVersionOf(first), found);
}

/** `/api`, `/apis` and all that is directly below: what the hub serves. */
export function discover(exchange: Exchange, segments: readonly string[]): void {
  const { definitions } = exchange.context.registry;
  const isRoot = segments.length === 1;
  const version = isRoot ? aggregatedVersion(exchange.request.headers.accept) : undefined;
  if (version === undefined) {
    sendJson(exchange, 200, legacyDocument(segments, definitions));
    return;
  }
  const isCore = segments[0] === 'api';
  const groups = [...groupsOf(definitions)].filter(([group]) => (group === '') === isCore);
  sendCached(
    exchange,
    JSON.stringify(aggregatedList(groups)),
    `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
  );
}

/** A document that clients keep: 304 when they have it already. */
export function sendCached(
  { request, response }: Exchange,
  body: string | Uint8Array,
  type: string,
  { tag = hashOf(body), headers = {} }: { tag?: string; headers?: Readonly<Record<string, string>> } = {},
): void {
  response.setHeader('ETag', `"${tag}"`);
  response.setHeader('Vary', 'Accept');
  response.setHeader('Cache-Control', 'public');
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (request.headers['if-none-match'] === `"${tag}"`) response.writeHead(304).end();
  else sendText(response, 200, body, type);
}

function hashOf(body: string | Uint8Array): string {
  return createHash('sha256').update(body).digest('hex').toUpperCase();
}
