import { authenticated, type User } from '../authentication/users.ts';
import type { Attributes, Decision } from '../authorization/attributes.ts';
import { badRequest, invalid, methodNotAllowed } from '../resources/api-error.ts';
import type { ResourceDefinition } from '../resources/definition.ts';
import { invalidValue } from '../resources/field-errors.ts';
import type { KubeObject } from '../resources/object.ts';
import {
  localSubjectAccessReviews,
  selfSubjectAccessReviews,
  selfSubjectReviews,
  selfSubjectRulesReviews,
  subjectAccessReviews,
  tokenReviews,
} from '../resources/reviews.ts';
import { formatTime } from '../resources/time.ts';
import { readObject } from './body.ts';
import type { Exchange } from './exchange.ts';
import { sendObject } from './reply.ts';
import type { ResourceRequest } from './request-info.ts';
import { placed } from './write.ts';

type Answer = (exchange: Exchange, review: KubeObject) => object | Promise<object>;

const ANSWERS = new Map<ResourceDefinition, Answer>([
  [selfSubjectReviews, ({ user }) => ({ userInfo: userInfo(user) })],
  [selfSubjectAccessReviews, answerForSelf],
  [subjectAccessReviews, answerForSubject],
  [localSubjectAccessReviews, answerForLocalSubject],
  [selfSubjectRulesReviews, answerRules],
  [tokenReviews, answerToken],
]);

/** `POST` of a review: the answer is the same object with its status. */
export async function review(exchange: Exchange, target: ResourceRequest): Promise<void> {
  const { resource, namespace } = target;
  const answer = ANSWERS.get(resource);
  if (!answer || (resource.namespaced && namespace === undefined)) throw methodNotAllowed();
  const given = placed(await readObject(exchange, resource), target);
  const status = await answer(exchange, given);
  const metadata = { ...given.metadata, creationTimestamp: formatTime(exchange.context.now()) };
  sendObject(exchange, 201, resource, { ...given, metadata, status });
}

/** As it stands in `userInfo` and `user` of answers. */
function userInfo({ name, uid, groups, extra }: User): object {
  return { username: name, ...(uid && { uid }), groups: [...groups], ...(extra && { extra }) };
}

interface AccessSpec {
  readonly resourceAttributes?: {
    readonly namespace?: string;
    readonly verb?: string;
    readonly group?: string;
    readonly resource?: string;
    readonly subresource?: string;
    readonly name?: string;
    readonly fieldSelector?: {
      readonly requirements?: readonly {
        readonly key: string;
        readonly operator: string;
        readonly values?: readonly string[];
      }[];
    };
  };
  readonly nonResourceAttributes?: { readonly path?: string; readonly verb?: string };
  readonly user?: string;
  readonly groups?: readonly string[];
  readonly uid?: string;
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

const specOf = (review: KubeObject) => (review.spec ?? {}) as AccessSpec;

function answerForSelf({ context, user }: Exchange, review: KubeObject): object {
  checkAttributes(selfSubjectAccessReviews, specOf(review));
  return accessStatus(context.access.authorizer.authorize(user, attributesOf(specOf(review))));
}

function answerForSubject({ context }: Exchange, review: KubeObject): object {
  const spec = specOf(review);
  checkAttributes(subjectAccessReviews, spec);
  checkSubject(subjectAccessReviews, spec);
  return accessStatus(context.access.authorizer.authorize(subjectOf(spec), attributesOf(spec)));
}

function answerForLocalSubject({ context }: Exchange, review: KubeObject): object {
  const spec = specOf(review);
  const { namespace } = review.metadata;
  checkAttributes(localSubjectAccessReviews, spec);
  checkSubject(localSubjectAccessReviews, spec);
  if (spec.resourceAttributes?.namespace !== namespace)
    throw refuse(localSubjectAccessReviews, [
      invalidValue(
        'spec.resourceAttributes.namespace',
        spec.resourceAttributes?.namespace ?? '',
        'must match metadata.namespace',
      ),
    ]);
  return accessStatus(context.access.authorizer.authorize(subjectOf(spec), attributesOf(spec)));
}

function refuse({ group, kind }: ResourceDefinition, errors: Parameters<typeof invalid>[3]) {
  return invalid(group, kind, '', errors);
}

function checkAttributes(resource: ResourceDefinition, spec: AccessSpec): void {
  const { resourceAttributes, nonResourceAttributes } = spec;
  const field = 'spec.resourceAttributes';
  if (resourceAttributes && nonResourceAttributes)
    throw refuse(resource, [
      invalidValue(
        'spec.nonResourceAttributes',
        nonResourceAttributes,
        'cannot be specified in combination with resourceAttributes',
      ),
    ]);
  if (resource === localSubjectAccessReviews && nonResourceAttributes)
    throw refuse(resource, [
      invalidValue('spec.nonResourceAttributes', nonResourceAttributes, 'disallowed on this kind of request'),
    ]);
  if (!resourceAttributes && !nonResourceAttributes)
    throw refuse(resource, [
      invalidValue(
        field,
        resourceAttributes ?? null,
        'exactly one of nonResourceAttributes or resourceAttributes must be specified',
      ),
    ]);
}

function checkSubject(resource: ResourceDefinition, { user, groups = [] }: AccessSpec): void {
  if (user || groups.length > 0) return;
  throw refuse(resource, [invalidValue('spec.user', '', 'at least one of user or group must be specified')]);
}

function subjectOf({ user = '', groups = [], uid, extra }: AccessSpec): User {
  return { name: user, groups, ...(uid && { uid }), ...(extra && { extra }) };
}

function attributesOf({ resourceAttributes, nonResourceAttributes }: AccessSpec): Attributes {
  if (nonResourceAttributes) {
    const { path = '', verb = '' } = nonResourceAttributes;
    return { type: 'path', verb, path };
  }
  const {
    namespace,
    verb = '',
    group = '',
    resource = '',
    subresource,
    name,
    fieldSelector,
  } = resourceAttributes ?? {};
  const requirements = (fieldSelector?.requirements ?? []).filter(
    ({ operator, values = [] }) => operator === 'In' && values.length === 1,
  );
  return {
    type: 'resource',
    verb,
    group,
    resource,
    ...(namespace && { namespace }),
    ...(subresource && { subresource }),
    ...(name && { name }),
    fields: Object.fromEntries(requirements.map(({ key, values = [] }) => [key, values[0] ?? ''])),
  };
}

function accessStatus({ allowed, reason }: Decision): object {
  return { allowed, ...(reason && { reason }) };
}

function answerRules({ context, user }: Exchange, review: KubeObject): object {
  const { namespace } = (review.spec ?? {}) as { namespace?: string };
  if (!namespace) throw badRequest('no namespace on request');
  const rules = context.access.authorizer.rulesFor(user, namespace);
  return {
    resourceRules: rules.resourceRules,
    nonResourceRules: rules.nonResourceRules,
    incomplete: rules.incomplete,
    ...(rules.error && { evaluationError: rules.error }),
  };
}

async function answerToken({ context }: Exchange, review: KubeObject): Promise<object> {
  const { token, audiences = [] } = (review.spec ?? {}) as { token?: string; audiences?: string[] };
  if (!token) throw badRequest('token is required for TokenReview in authentication');
  const { accountTokens, verifyToken } = context.access;
  const outcome = await verifyToken(token, audiences.length > 0 ? audiences : accountTokens.audiences);
  if (outcome.problem !== undefined) return { user: {}, error: `[${outcome.problem}]` };
  return {
    authenticated: true,
    user: userInfo(authenticated(outcome.user)),
    audiences: [...outcome.audiences],
  };
}
