import { durationMs } from '../../fleet/duration.ts';
import type { GitSourceObject } from '../../fleet/git-source.ts';
import type { Registry } from '../../registry/registry.ts';
import { secrets } from '../../resources/table-of-resources.ts';
import type { SecretObject } from '../../resources/typed.ts';
import type { ParsedJson } from '../../schema/parse-json.ts';
import { type Clone, GIT_LIMITS } from './clone.ts';
import { type Credentials, credentialsFor, type SecretData } from './credentials.ts';
import { GitError } from './git.ts';
import { type ReadManifests, readManifests } from './manifests.ts';

/** The newest commit of what a GitSource follows, or why it cannot be had. */
export function fetchRevision(
  registry: Registry,
  { metadata: { namespace }, spec }: GitSourceObject,
  clone: Clone,
  signal: AbortSignal,
): Promise<string | GitError> {
  const { url, ref, timeout, secretRef } = spec;
  const name = secretRef?.name;
  const secret = name === undefined ? undefined : registry.get(secrets, namespace, name);
  if (name !== undefined && !secret) {
    const message = `namespace ${namespace} has no Secret "${name}" (spec.secretRef)`;
    return Promise.resolve(new GitError('AuthenticationFailed', message));
  }
  const data = secret && decoded(secret as SecretObject);
  const credentials = (directory: string): Credentials => {
    const made = credentialsFor(url, data, directory);
    if (!('problem' in made)) return made;
    throw new GitError('AuthenticationFailed', `the Secret "${name}" (spec.secretRef) ${made.problem}`);
  };
  return orGitError(clone.fetch({ url, ref, credentials, timeoutMs: durationMs(timeout), signal }));
}

/** All manifests of a commit that was fetched. */
export function readRevision(
  { spec }: GitSourceObject,
  clone: Clone,
  revision: string,
  parse: (text: string) => ParsedJson,
  signal: AbortSignal,
): Promise<ReadManifests | GitError> {
  const run = { timeoutMs: durationMs(spec.timeout), signal };
  const files = clone.manifests(revision, spec.path, run);
  return orGitError(files.then((each) => readManifests(each, parse, GIT_LIMITS.objects)));
}

function decoded({ data = {} }: SecretObject): SecretData {
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]),
  );
}

async function orGitError<T>(promise: Promise<T>): Promise<T | GitError> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof GitError) return error;
    throw error;
  }
}
