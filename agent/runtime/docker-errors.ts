import { type FailureKind, RuntimeError } from './runtime.ts';

interface EngineAnswer {
  readonly statusCode?: number;
  readonly code?: string;
  readonly json?: { readonly message?: string };
  readonly reason?: string;
  readonly message?: string;
}

/** What the engine, or the way to it, said; as an error with a kind that the plan can act on. */
export function runtimeError(what: string, error: unknown): RuntimeError {
  if (error instanceof RuntimeError) return error;
  const answer = error as EngineAnswer;
  const message = wordsOf(error);
  const kind = kindOf(answer, message);
  if (kind === 'engine-down')
    return new RuntimeError(kind, `${what}: ${downMessage(answer)}`, { cause: error });
  return new RuntimeError(kind, `${what}: ${message}`, { cause: error });
}

/** Whether an engine says of a container that it cannot run as it is: in its own words, or runc's, or crun's by way of Podman. */
export function isUnstartable(message: string): boolean {
  return UNSTARTABLE.some((words) => words.test(message));
}

/** What runs it could not make of it what it is to be: no such command or user, a file where a folder is to be, too little memory. */
const UNSTARTABLE = [
  /unable to start container process: (exec: "|unable to setup user)/,
  /error during container init: error (mounting "|setting cgroup config .*: unable to set memory limit)/,
  /attempted to invoke a command that was not found/,
  /^unable to find user /,
  /^workdir ".*" exists on container .* but is not a directory/,
];

/** Whether Podman says that it did not learn of a container's end, as its conmon was killed: it goes on calling it running. */
export function isMissedEnd(error: unknown): boolean {
  return /container state improper: stopped/.test((error as Error).message);
}

/** What an engine said, without what dockerode says of it. */
export function wordsOf(error: unknown): string {
  const { json, message } = error as EngineAnswer;
  return json?.message ?? message ?? String(error);
}

const DENIED =
  /unauthorized|denied: requested access|no basic auth credentials|authentication required|pull access denied/i;

function kindOf({ statusCode, code }: EngineAnswer, message: string): FailureKind {
  if (DENIED.test(message)) return 'image-denied';
  if (/no space left on device/i.test(message)) return 'disk-full';
  if (/invalid reference format|normalizing name|is no name of an image/.test(message)) return 'image-name';
  // A code without an answer is the system's: there was nobody to answer. Ours, of an abort, is no such thing.
  if (statusCode === undefined) return code && code !== 'ABORT_ERR' ? 'engine-down' : 'other';
  if (/port is already allocated|address already in use/i.test(message)) return 'port-taken';
  if (statusCode === 404) return /no such image|image not known/i.test(message) ? 'image-absent' : 'gone';
  if (statusCode === 409) return /already in use by container/i.test(message) ? 'name-taken' : 'gone';
  return kindOfPodman(message);
}

/** Podman answers 500 to more than is its own fault. */
function kindOfPodman(message: string): FailureKind {
  if (/the container name ".*" is already in use by/.test(message)) return 'name-taken';
  // The second: of one that is just being removed.
  return /^can only kill running containers|no such container/.test(message) ? 'gone' : 'other';
}

function downMessage({ code, message }: EngineAnswer): string {
  switch (code) {
    case 'ENOENT':
      return `the engine's socket is not there (${message}): start Docker, or say where it is with --docker-host`;
    case 'EACCES':
    case 'EPERM':
      return `the engine's socket may not be used (${message}): run the agent as root or as a member of its group`;
    default:
      return `the engine does not answer (${message}): is Docker running?`;
  }
}
