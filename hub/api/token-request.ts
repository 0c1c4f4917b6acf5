import type { BoundClaims, ObjectClaim } from '../authentication/account-claims.ts';
import type { Registry } from '../registry/registry.ts';
import { badRequest, conflict, invalid, notFound } from '../resources/api-error.ts';
import type { ResourceDefinition } from '../resources/definition.ts';
import { invalidValue } from '../resources/field-errors.ts';
import type { KubeObject } from '../resources/object.ts';
import { nodes, pods, secrets } from '../resources/table-of-resources.ts';
import { formatTime } from '../resources/time.ts';
import type { PodObject } from '../resources/typed.ts';
import { checkWrite } from './access.ts';
import { type BodyKind, readObject } from './body.ts';
import { type Exchange, isDryRun } from './exchange.ts';
import { existing } from './read.ts';
import { sendJson } from './reply.ts';
import type { ResourceRequest } from './request-info.ts';

const TOKEN_REQUEST: BodyKind = {
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'TokenRequest',
  schema: 'io.k8s.api.authentication.v1.TokenRequest',
};
const DEFAULT_SECONDS = 3_600;
const SHORTEST_SECONDS = 600;
const LONGEST_SECONDS = 2 ** 32;

interface ObjectReference {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly name?: string;
  readonly uid?: string;
}

interface TokenRequestSpec {
  readonly audiences?: readonly string[];
  readonly expirationSeconds?: number;
  readonly boundObjectRef?: ObjectReference;
}

/** `POST serviceaccounts/x/token`: a token for it, bound to it and perhaps to one object more. */
export async function requestToken(exchange: Exchange, target: ResourceRequest): Promise<void> {
  const { namespace = '', name = '' } = target;
  const request = await readObject(exchange, TOKEN_REQUEST);
  const { context } = exchange;
  const account = existing(exchange, target);
  if (request.metadata.name && request.metadata.name !== name)
    throw badRequest(
      `the name of the object (${request.metadata.name}) does not match the name on the URL (${name})`,
    );
  checkWrite(exchange, target, request, undefined);
  const spec = (request.spec ?? {}) as TokenRequestSpec;
  const { expirationSeconds: lifeSeconds = DEFAULT_SECONDS, boundObjectRef } = spec;
  checkLife(lifeSeconds);
  const bound: BoundClaims = {
    namespace,
    serviceaccount: claimOf(account),
    ...(boundObjectRef && boundTo(context.registry, account, boundObjectRef)),
  };
  const { accountTokens } = context.access;
  const audiences = spec.audiences?.length ? spec.audiences : accountTokens.audiences;
  const isDry = isDryRun(exchange, 'CreateOptions');
  const { token, expiresMs } = await accountTokens.issue({ audiences, lifeSeconds, bound });
  sendJson(exchange, 201, {
    ...request,
    metadata: { name, namespace, creationTimestamp: formatTime(context.now()) },
    spec: { ...spec, audiences, expirationSeconds: lifeSeconds, boundObjectRef: boundObjectRef ?? null },
    // A dry run shows what would be, not the token itself.
    status: { token: isDry ? '' : token, expirationTimestamp: formatTime(expiresMs) },
  });
}

function checkLife(seconds: number): void {
  const problem =
    seconds < SHORTEST_SECONDS
      ? 'may not specify a duration less than 10 minutes'
      : seconds > LONGEST_SECONDS
        ? 'may not specify a duration larger than 2^32 seconds'
        : undefined;
  if (problem)
    throw invalid(TOKEN_REQUEST.group, TOKEN_REQUEST.kind, '', [
      invalidValue('spec.expirationSeconds', seconds, problem),
    ]);
}

function claimOf({ metadata: { name = '', uid = '' } }: KubeObject): ObjectClaim {
  return { name, uid };
}

function boundTo(
  registry: Registry,
  account: KubeObject,
  reference: ObjectReference,
): Pick<BoundClaims, 'pod' | 'secret' | 'node'> {
  const { namespace } = account.metadata;
  const { apiVersion = '', kind } = reference;
  switch (apiVersion === 'v1' ? kind : undefined) {
    case 'Pod': {
      const pod = found(registry, pods, namespace, reference) as PodObject;
      const { serviceAccountName, nodeName } = pod.spec;
      if (serviceAccountName !== account.metadata.name)
        throw badRequest(
          `cannot bind token for serviceaccount "${account.metadata.name}" to pod running with serviceaccount "${serviceAccountName ?? ''}"`,
        );
      const node = nodeName ? registry.get(nodes, undefined, nodeName) : undefined;
      return { pod: claimOf(pod), ...(node && { node: claimOf(node) }) };
    }
    case 'Secret':
      return { secret: claimOf(found(registry, secrets, namespace, reference)) };
    case 'Node':
      return { node: claimOf(found(registry, nodes, undefined, reference)) };
    default:
      throw badRequest(`cannot bind token to object of type ${kindText(reference)}`);
  }
}

/** As Kubernetes prints it: `apps/v1, Kind=Deployment`. */
function kindText({ apiVersion = '', kind = '' }: ObjectReference): string {
  return `${apiVersion.includes('/') ? apiVersion : `/${apiVersion}`}, Kind=${kind}`;
}

function found(
  registry: Registry,
  resource: ResourceDefinition,
  namespace: string | undefined,
  { name = '', uid }: ObjectReference,
): KubeObject {
  const object = registry.get(resource, namespace, name);
  if (!object) throw notFound(resource, name);
  if (!uid || uid === object.metadata.uid) return object;
  const why = `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`;
  throw conflict({ group: '', plural: resource.kind }, name, why);
}
