import type { Failure, GitSourceObject, ObjectRef } from '../../fleet/git-source.ts';
import { counted } from '../../resources/counted.ts';
import type { GitError } from './git.ts';

/** How one look into the repository ended. */
export interface Outcome {
  readonly isReady: boolean;
  /** One word, and a sentence. */
  readonly reason: string;
  readonly message: string;
  /** What was found in the repository; undefined when it was not reached. */
  readonly revision?: string;
  readonly failures: readonly Failure[];
  /** Undefined when it is as before. */
  readonly inventory?: readonly ObjectRef[];
}

export function applied(revision: string, objects: number, inventory?: readonly ObjectRef[]): Outcome {
  return {
    isReady: true,
    reason: 'Applied',
    message: `revision ${short(revision)} is applied: ${counted(objects, 'object', 'objects')}`,
    revision,
    failures: [],
    ...(inventory && { inventory }),
  };
}

/** The repository could not be read. */
export function unread(
  { reason, message }: Pick<GitError, 'reason' | 'message'>,
  revision?: string,
): Outcome {
  return { isReady: false, reason, message, failures: [], ...(revision !== undefined && { revision }) };
}

export function accountMissing({ metadata: { namespace }, spec }: GitSourceObject): Outcome {
  return {
    isReady: false,
    reason: 'ServiceAccountMissing',
    message: `namespace ${namespace} has no service account "${spec.serviceAccountName}" (spec.serviceAccountName): nothing is applied`,
    failures: [],
  };
}

export function nothingThere(revision: string, path: string): Outcome {
  return {
    isReady: false,
    reason: 'NoManifests',
    message: `revision ${short(revision)} has no manifests in "${path}" (spec.path): nothing is changed, and nothing removed`,
    revision,
    failures: [],
  };
}

/** What was not applied, or not removed. */
export function refused(
  reason: 'ManifestsInvalid' | 'ApplyFailed' | 'PruneFailed',
  revision: string,
  failures: readonly Failure[],
  inventory?: readonly ObjectRef[],
): Outcome {
  const [first] = failures;
  const others = failures.length > 1 ? ` (and ${failures.length - 1} more in status.failures)` : '';
  return {
    isReady: false,
    reason,
    message: `revision ${short(revision)}: ${first ? failureText(first) : ''}${others}`,
    revision,
    failures,
    ...(inventory && { inventory }),
  };
}

/** `apps/web.yaml: Deployment default/web: …` */
export function failureText({ file, object, message }: Failure): string {
  return [file, object, message].filter((part) => part !== undefined).join(': ');
}

export function short(revision: string): string {
  return revision.slice(0, 12);
}
