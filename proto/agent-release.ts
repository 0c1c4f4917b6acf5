import { isPodUpdate, type PodUpdate } from './pod-update.ts';

/**
 * How hub and agent speak of another version of the agent itself. The request is an annotation of the Node, which is in the
 * device's snapshot while the request stands; the device answers with conditions of that Node, whose messages name the
 * request (`request-answer.ts`).
 */
export const AGENT_RELEASE_ANNOTATION = 'fleet.holdfast.dev/agent-update';

/** `True` once the device holds the version, checked and unpacked beside the one that runs. */
export const AGENT_STAGED_CONDITION = 'fleet.holdfast.dev/AgentStaged';
/** `Unknown` while the device tries the version, then `True`, or `False` when it went back to the one before. */
export const AGENT_ACCEPTED_CONDITION = 'fleet.holdfast.dev/AgentAccepted';

/** A package as the hub has it below `/packages/`. */
export interface PackageReference {
  readonly name: string;
  /** Hex. */
  readonly sha256: string;
  readonly bytes: number;
}

export interface AgentRelease {
  /** Of this request alone: a device that has rejected it never looks at it again. */
  readonly id: string;
  /** The AgentRelease that asks: `namespace/name`. */
  readonly release: string;
  /** Without a `v`. */
  readonly version: string;
  /** Of the hub's HTTPS. */
  readonly port: number;
  /** For the processor of this device; absent: none, so that only what the device holds already can be used. */
  readonly full?: PackageReference;
  /** Without Node.js. */
  readonly slim?: PackageReference;
  /** How the policy wants it done. */
  readonly update: PodUpdate;
}

const ID = /^[-a-zA-Z0-9]{1,80}$/;
const VERSION = /^\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?$/;
/** It becomes the name of a file. */
const PACKAGE = /^holdfast-agent-[-0-9A-Za-z.]+\.tar\.gz$/;
const SHA256 = /^[0-9a-f]{64}$/;
const LAST_PORT = 65_535;

export function encodeAgentRelease(release: AgentRelease): string {
  return JSON.stringify(release);
}

type Annotated = { readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> } };

/** What a Node's annotation asks for; undefined when it asks for nothing, and for what is no request. */
export function agentReleaseOf({ metadata }: Annotated): AgentRelease | undefined {
  const text = metadata?.annotations?.[AGENT_RELEASE_ANNOTATION];
  if (text === undefined) return undefined;
  try {
    const release = JSON.parse(text) as AgentRelease | null;
    return isAgentRelease(release) ? release : undefined;
  } catch {
    return undefined;
  }
}

function isAgentRelease(given: AgentRelease | null): given is AgentRelease {
  if (typeof given !== 'object' || given === null) return false;
  const { id, release, version, port, full, slim, update } = given;
  return (
    typeof id === 'string' &&
    ID.test(id) &&
    typeof release === 'string' &&
    typeof version === 'string' &&
    VERSION.test(version) &&
    Number.isInteger(port) &&
    port > 0 &&
    port <= LAST_PORT &&
    (full === undefined || isPackage(full)) &&
    (slim === undefined || isPackage(slim)) &&
    isPodUpdate(update)
  );
}

function isPackage(given: PackageReference | null): boolean {
  if (typeof given !== 'object' || given === null) return false;
  const { name, sha256, bytes } = given;
  return (
    typeof name === 'string' &&
    PACKAGE.test(name) &&
    typeof sha256 === 'string' &&
    SHA256.test(sha256) &&
    Number.isSafeInteger(bytes) &&
    bytes > 0
  );
}
