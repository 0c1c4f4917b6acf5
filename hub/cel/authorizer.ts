import type { Environment } from '@marcbachmann/cel-js';
import type { Requester } from '../resources/definition.ts';
import { accountUser } from '../resources/rbac-subjects.ts';
import { parseFieldSelector } from '../resources/selector.ts';

/** What somebody may do, or may not, as expressions ask it. */
export type AccessQuestion =
  | { readonly type: 'path'; readonly verb: string; readonly path: string }
  | ({ readonly type: 'resource'; readonly verb: string } & AskedResource);

/** What is asked about, but for the verb. */
export interface AskedResource {
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly fields?: Readonly<Record<string, string>>;
}

/** Decides as the API would. */
export type Authorize = (
  user: Requester,
  question: AccessQuestion,
) => { readonly allowed: boolean; readonly reason: string };

export const AUTHORIZER_TYPE = 'kubernetes.authorization.Authorizer';
const PATH_TYPE = 'kubernetes.authorization.PathCheck';
const GROUP_TYPE = 'kubernetes.authorization.GroupCheck';
const RESOURCE_TYPE = 'kubernetes.authorization.ResourceCheck';
const DECISION_TYPE = 'kubernetes.authorization.Decision';

/** The groups of a service account that is only asked about. */
const accountGroups = (namespace: string) => [
  'system:serviceaccounts',
  `system:serviceaccounts:${namespace}`,
];

/** The variable `authorizer`: what its user may do. */
export class AuthorizerValue {
  readonly authorize: Authorize;
  readonly user: Requester;
  /** What the request is about, where there is one. */
  readonly requestResource: ResourceCheck | undefined;

  constructor(authorize: Authorize, user: Requester, requestResource?: AskedResource) {
    this.authorize = authorize;
    this.user = user;
    this.requestResource = requestResource && new ResourceCheck(this, requestResource);
  }
}

class PathCheck {
  readonly by: AuthorizerValue;
  readonly path: string;

  constructor(by: AuthorizerValue, path: string) {
    this.by = by;
    this.path = path;
  }
}

class GroupCheck {
  readonly by: AuthorizerValue;
  readonly group: string;

  constructor(by: AuthorizerValue, group: string) {
    this.by = by;
    this.group = group;
  }
}

class ResourceCheck {
  readonly by: AuthorizerValue;
  readonly asked: AskedResource;

  constructor(by: AuthorizerValue, asked: AskedResource) {
    this.by = by;
    this.asked = asked;
  }

  with(more: Partial<AskedResource>): ResourceCheck {
    return new ResourceCheck(this.by, { ...this.asked, ...more });
  }
}

class Decision {
  readonly allowed: boolean;
  readonly reason: string;

  constructor({ allowed, reason }: ReturnType<Authorize>) {
    this.allowed = allowed;
    this.reason = reason;
  }
}

function named(text: string, what: string): string {
  if (text.trim() === '') throw new Error(`${what} must not be empty`);
  return text;
}

/** Kubernetes' library of authorization. */
export function registerAuthorizer(environment: Environment): void {
  for (const [type, ctor] of [
    [PATH_TYPE, PathCheck],
    [GROUP_TYPE, GroupCheck],
    [RESOURCE_TYPE, ResourceCheck],
    [DECISION_TYPE, Decision],
  ] as const)
    environment.registerType(type, { ctor, fields: {} });
  environment.registerType(AUTHORIZER_TYPE, {
    ctor: AuthorizerValue,
    fields: { requestResource: RESOURCE_TYPE },
  });
  registerQuestions(environment);
  const ask = ({ authorize, user }: AuthorizerValue, question: AccessQuestion) =>
    new Decision(authorize(user, question));
  environment.registerFunction(
    `${PATH_TYPE}.check(string): ${DECISION_TYPE}`,
    ({ by, path }: PathCheck, verb: string) => ask(by, { type: 'path', verb, path }),
  );
  environment.registerFunction(
    `${RESOURCE_TYPE}.check(string): ${DECISION_TYPE}`,
    ({ by, asked }: ResourceCheck, verb: string) => ask(by, { type: 'resource', verb, ...asked }),
  );
  environment.registerFunction(`${DECISION_TYPE}.allowed(): bool`, ({ allowed }: Decision) => allowed);
  environment.registerFunction(`${DECISION_TYPE}.reason(): string`, ({ reason }: Decision) => reason);
  // A decision here is made from memory: it can not fail.
  environment.registerFunction(`${DECISION_TYPE}.errored(): bool`, () => false);
  environment.registerFunction(`${DECISION_TYPE}.error(): string`, () => '');
}

function registerQuestions(environment: Environment): void {
  environment.registerFunction(
    `${AUTHORIZER_TYPE}.path(string): ${PATH_TYPE}`,
    (by: AuthorizerValue, path: string) => new PathCheck(by, named(path, 'path')),
  );
  environment.registerFunction(
    `${AUTHORIZER_TYPE}.group(string): ${GROUP_TYPE}`,
    (by: AuthorizerValue, group: string) => new GroupCheck(by, group),
  );
  environment.registerFunction(
    `${AUTHORIZER_TYPE}.serviceAccount(string, string): ${AUTHORIZER_TYPE}`,
    ({ authorize }: AuthorizerValue, namespace: string, name: string) =>
      new AuthorizerValue(authorize, {
        name: accountUser(named(namespace, 'namespace'), named(name, 'name')),
        groups: accountGroups(namespace),
      }),
  );
  environment.registerFunction(
    `${GROUP_TYPE}.resource(string): ${RESOURCE_TYPE}`,
    ({ by, group }: GroupCheck, resource: string) =>
      new ResourceCheck(by, { group, resource: named(resource, 'resource') }),
  );
  for (const part of ['subresource', 'namespace', 'name'] as const)
    environment.registerFunction(
      `${RESOURCE_TYPE}.${part}(string): ${RESOURCE_TYPE}`,
      (check: ResourceCheck, value: string) => check.with({ [part]: value }),
    );
  environment.registerFunction(
    `${RESOURCE_TYPE}.fieldSelector(string): ${RESOURCE_TYPE}`,
    (check: ResourceCheck, text: string) => {
      const demanded = parseFieldSelector(text).filter(({ equal }) => equal);
      return check.with({ fields: Object.fromEntries(demanded.map(({ field, value }) => [field, value])) });
    },
  );
  // No decision here follows from labels: what is asked for is no more than without them.
  environment.registerFunction(
    `${RESOURCE_TYPE}.labelSelector(string): ${RESOURCE_TYPE}`,
    (check: ResourceCheck) => check,
  );
}
