import type { Attributes, Authorizer, Decision, User, UserRules } from './attributes.ts';

/** Who is in it may do everything, whatever roles say: a cluster can not lock out its administrators. */
export const ADMINISTRATORS = 'system:masters';

const EVERYTHING: UserRules = {
  resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
  nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
  incomplete: false,
  error: '',
};
const NOTHING: UserRules = { resourceRules: [], nonResourceRules: [], incomplete: false, error: '' };

export const administratorsAuthorizer: Authorizer = {
  authorize: ({ groups }) => ({ allowed: groups.includes(ADMINISTRATORS), reason: '' }),
  rulesFor: ({ groups }) => (groups.includes(ADMINISTRATORS) ? EVERYTHING : NOTHING),
};

/** Asks one after the other; the first that allows decides. Their reasons are joined when none does. */
export class Authorizers implements Authorizer {
  readonly #members: readonly Authorizer[];

  constructor(members: readonly Authorizer[]) {
    this.#members = members;
  }

  authorize(user: User, attributes: Attributes): Decision {
    const reasons: string[] = [];
    for (const member of this.#members) {
      const decision = member.authorize(user, attributes);
      if (decision.allowed) return decision;
      if (decision.reason) reasons.push(decision.reason);
    }
    return { allowed: false, reason: reasons.join('\n') };
  }

  rulesFor(user: User, namespace: string): UserRules {
    const all = this.#members.map((member) => member.rulesFor(user, namespace));
    return {
      resourceRules: all.flatMap(({ resourceRules }) => resourceRules),
      nonResourceRules: all.flatMap(({ nonResourceRules }) => nonResourceRules),
      incomplete: all.some(({ incomplete }) => incomplete),
      error: all
        .map(({ error }) => error)
        .filter(Boolean)
        .join(', '),
    };
  }
}
