import { nameColumn } from './cells.ts';
import { defineResource } from './define.ts';
import type { ResourceDefinition } from './definition.ts';

/*
 * Questions in the form of objects: who somebody is and what they may do. To create one is to ask; the answer is the
 * object with its status, and nothing is stored. `hub/api/reviews.ts` answers.
 */

const AUTHENTICATION = 'authentication.k8s.io';
const AUTHORIZATION = 'authorization.k8s.io';

function defineReview(group: string, kind: string, namespaced = false): ResourceDefinition {
  const singular = kind.toLowerCase();
  return defineResource({
    group,
    version: 'v1',
    kind,
    plural: `${singular}s`,
    singular,
    namespaced,
    schema: `io.k8s.api.${group.split('.')[0]}.v1.${kind}`,
    verbs: ['create'],
    columns: [nameColumn],
  });
}

export const tokenReviews = defineReview(AUTHENTICATION, 'TokenReview');
export const selfSubjectReviews = defineReview(AUTHENTICATION, 'SelfSubjectReview');
export const subjectAccessReviews = defineReview(AUTHORIZATION, 'SubjectAccessReview');
export const selfSubjectAccessReviews = defineReview(AUTHORIZATION, 'SelfSubjectAccessReview');
export const localSubjectAccessReviews = defineReview(AUTHORIZATION, 'LocalSubjectAccessReview', true);
export const selfSubjectRulesReviews = defineReview(AUTHORIZATION, 'SelfSubjectRulesReview');

export const reviews: readonly ResourceDefinition[] = [
  tokenReviews,
  selfSubjectReviews,
  localSubjectAccessReviews,
  selfSubjectAccessReviews,
  selfSubjectRulesReviews,
  subjectAccessReviews,
];
