import { applyJsonPatch } from '../patch/json-patch.ts';
import { applyConfiguration, applyConflict } from '../patch/managed-fields.ts';
import { applyMergePatch } from '../patch/merge-patch.ts';
import { applyStrategicMergePatch } from '../patch/strategic-merge-patch.ts';
import type { UpdateOptions } from '../registry/registry.ts';
import { badRequest, conflict, invalid, methodNotAllowed, notFound } from '../resources/api-error.ts';
import { apiVersionOf, type ResourceDefinition } from '../resources/definition.ts';
import { forbiddenField, required } from '../resources/field-errors.ts';
import type { KubeObject } from '../resources/object.ts';
import { isJsonObject, type JsonObject } from '../schema/json-type.ts';
import { hasStrategicPatch } from '../schema/openapi-paths.ts';
import { type ObjectSchema, schemaOf } from '../schema/schema.ts';
import { checkWrite } from './access.ts';
import { type BodyKind, decodeObject, type ParsedBody, readParsedBody } from './body.ts';
import { type Asking, type Exchange, fieldManagerOf, isDryRun, warningsOf } from './exchange.ts';
import { parseMediaType } from './negotiate.ts';
import { isYes } from './query.ts';
import { sendObject } from './reply.ts';
import type { ResourceRequest } from './request-info.ts';
import { configurationOf, decodeScale, SCALE, sendScale, writeScale } from './scale.ts';
import { placed } from './write.ts';

const JSON_PATCH = 'application/json-patch+json';
const MERGE_PATCH = 'application/merge-patch+json';
const STRATEGIC_PATCH = 'application/strategic-merge-patch+json';
const APPLY_PATCH = 'application/apply-patch+yaml';
const ORDINARY_PATCHES = [JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH];

/** A patch as it came, and its media type. */
interface GivenPatch {
  readonly type: string;
  readonly body: ParsedBody;
}

async function readPatch(exchange: Exchange, accepted: readonly string[]): Promise<GivenPatch> {
  const { type } = parseMediaType(exchange.request.headers['content-type'] ?? JSON_PATCH);
  const body = await readParsedBody(exchange, accepted);
  if (!body) throw badRequest('the patch is empty');
  return { type, body };
}

export async function patch(exchange: Exchange, target: ResourceRequest): Promise<void> {
  const { resource, namespace, name = '', subresource } = target;
  if (resource.namespaced && namespace === undefined) throw methodNotAllowed();
  const given = await readPatch(exchange, patchTypesOf(resource));
  const isApply = given.type === APPLY_PATCH;
  checkOptions(exchange, isApply);
  const options: UpdateOptions = {
    fieldManager: fieldManagerOf(exchange),
    dryRun: isDryRun(exchange, 'PatchOptions'),
    tracked: isApply,
    requester: exchange.user,
    warn: warningsOf(exchange),
    ...(subresource && { subresource }),
  };
  const { registry } = exchange.context;
  if (!isApply) {
    const change = checked(exchange, target, patched(exchange, target, given));
    const { object } = await registry.modify(resource, namespace, name, change, options);
    sendObject(exchange, 200, resource, object);
    return;
  }
  const { object, created } = await apply(exchange, target, given.body, options);
  sendObject(exchange, created ? 201 : 200, resource, object);
}

/**
 * Server-side apply of a configuration. Resolves with the object in the form that it was asked for in; rejects with what
 * was refused.
 */
export async function apply(
  asking: Asking,
  target: ResourceRequest,
  body: ParsedBody,
  options: UpdateOptions,
): Promise<{ object: KubeObject; created: boolean }> {
  const { resource, namespace, name = '' } = target;
  const { registry } = asking.context;
  // Who manages which fields is kept in terms of what is stored, whichever form a configuration is written in.
  const stored = registry.storedOf(resource);
  const configuration = readConfiguration(asking, target, body);
  const storedTarget = { ...target, resource: stored?.resource ?? resource };
  const change = checked(
    asking,
    storedTarget,
    applied(asking, storedTarget, stored?.toStored(configuration) ?? configuration, options),
  );
  const { object, created } = await registry.modify(storedTarget.resource, namespace, name, change, {
    ...options,
    ...stored?.write,
  });
  return { object: stored?.fromStored(object) ?? object, created };
}

/** The same change, refused when its result is not for this user to write. */
function checked(
  asking: Asking,
  target: ResourceRequest,
  change: (current: KubeObject | undefined) => KubeObject,
): typeof change {
  return (current) => {
    const next = change(current);
    if (next !== current) checkWrite(asking, target, next, current);
    return next;
  };
}

function patchTypesOf(resource: ResourceDefinition): string[] {
  const strategic = hasStrategicPatch(resource) ? [STRATEGIC_PATCH] : [];
  return [JSON_PATCH, MERGE_PATCH, ...strategic, APPLY_PATCH];
}

function checkOptions({ url }: Exchange, isApply: boolean): void {
  const { searchParams: query } = url;
  const refuse = (error: Parameters<typeof invalid>[3][number]) =>
    invalid('meta.k8s.io', 'PatchOptions', '', [error]);
  if (isApply && !query.get('fieldManager'))
    throw refuse(required('fieldManager', 'is required for apply patch'));
  if (!isApply && query.has('force'))
    throw refuse(forbiddenField('force', 'may not be specified for non-apply patch'));
}

/** What an ordinary patch makes of the newest object. */
function patched(exchange: Exchange, target: ResourceRequest, given: GivenPatch) {
  const { resource, name = '' } = target;
  return (current: KubeObject | undefined): KubeObject => {
    if (!current) throw notFound(resource, name);
    exchange.warnings.clear();
    return placed(decodePatched(exchange, resource, current, given), target);
  };
}

function decodePatched(
  exchange: Exchange,
  kind: BodyKind,
  current: KubeObject,
  { type, body }: GivenPatch,
): KubeObject {
  const value = patchedValue(type, schemaOf(kind.schema), current as JsonObject, body.value);
  return decodeObject(exchange, kind, { value, duplicates: body.duplicates });
}

function patchedValue(type: string, schema: ObjectSchema, object: JsonObject, value: unknown): JsonObject {
  if (type === JSON_PATCH) return applyJsonPatch(object, value);
  if (!isJsonObject(value)) throw badRequest('the patch is no object');
  return type === MERGE_PATCH
    ? applyMergePatch(object, value)
    : applyStrategicMergePatch(schema, object, value);
}

function readConfiguration(asking: Asking, target: ResourceRequest, body: ParsedBody): KubeObject {
  checkConfiguration(body.value);
  return placed(decodeObject(asking, target.resource, body), target);
}

/** What a configuration makes of the newest object, or of nothing. */
function applied(
  asking: Asking,
  { resource, name = '', subresource }: ResourceRequest,
  configuration: KubeObject,
  { fieldManager }: UpdateOptions,
) {
  return (current: KubeObject | undefined): KubeObject => {
    const { uid } = configuration.metadata;
    if (!current && subresource) throw notFound(resource, name);
    if (!current && uid)
      throw conflict(
        resource,
        name,
        `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`,
      );
    const result = applyConfiguration({
      schema: schemaOf(resource.schema),
      manager: fieldManager,
      apiVersion: apiVersionOf(resource),
      time: `${new Date(asking.context.now()).toISOString().slice(0, 19)}Z`,
      subresource,
      hasStatus: resource.hasStatus,
      live: current,
      applied: configuration,
      force: isYes(asking.url.searchParams, 'force'),
      setDefaults: resource.setDefaults,
    });
    if (result.conflicts) throw applyConflict(result.conflicts);
    return result.object;
  };
}

function checkConfiguration(value: unknown): void {
  if (!isJsonObject(value)) throw badRequest('the configuration is no object');
  for (const key of ['apiVersion', 'kind'])
    if (!value[key]) throw badRequest(`error decoding YAML: Object '${key}' is missing in the configuration`);
}

export async function patchScale(exchange: Exchange, target: ResourceRequest): Promise<void> {
  const given = await readPatch(exchange, [...ORDINARY_PATCHES, APPLY_PATCH]);
  const isApply = given.type === APPLY_PATCH;
  checkOptions(exchange, isApply);
  if (isApply) {
    await applyScale(exchange, target, given);
    return;
  }
  await writeScale(exchange, target, (scale) => {
    const value = patchedValue(given.type, schemaOf(SCALE.schema), scale as JsonObject, given.body.value);
    return decodeScale(exchange, { value, duplicates: given.body.duplicates });
  });
}

/** Who manages the number of replicas is kept with the object, so that a configuration of a Scale is one of the object. */
async function applyScale(exchange: Exchange, target: ResourceRequest, { body }: GivenPatch): Promise<void> {
  const { resource, namespace, name = '' } = target;
  checkConfiguration(body.value);
  const scale = decodeScale(exchange, body);
  const options: UpdateOptions = {
    fieldManager: fieldManagerOf(exchange),
    dryRun: isDryRun(exchange, 'PatchOptions'),
    tracked: true,
    requester: exchange.user,
    warn: warningsOf(exchange),
    subresource: 'scale',
  };
  const configuration = placed(configurationOf(resource, name, scale), target);
  const change = checked(exchange, target, applied(exchange, target, configuration, options));
  const { object } = await exchange.context.registry.modify(resource, namespace, name, change, options);
  sendScale(exchange, target, object);
}
