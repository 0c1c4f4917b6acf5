import { chmodSync, closeSync, openSync, writeSync } from 'node:fs';
import type { RequestLog, RequestObserver } from '../api/request-log.ts';
import type { User } from '../authorization/attributes.ts';

const STDOUT = '-';
const STDOUT_FD = 1;

/**
 * Who did what, as one JSON line per request, in the form of Kubernetes' audit.k8s.io/v1 Events at level Metadata:
 * neither bodies nor headers, and so no secrets. Each line is with the kernel before the next request is looked at.
 */
export class AuditLog implements RequestObserver {
  #fd: number | undefined;
  readonly #onError: (error: unknown) => void;

  /** Throws when the file can not be written. `-` is standard output, nothing is none. */
  constructor(path: string, onError: (error: unknown) => void) {
    this.#fd = openLog(path);
    this.#onError = onError;
  }

  /** From now on into this file: another one, or the same that was moved aside. Throws, and goes on with the old one. */
  open(path: string): void {
    const fd = openLog(path);
    this.close();
    this.#fd = fd;
  }

  ended(log: RequestLog, code: number, nowMs: number): void {
    if (this.#fd === undefined) return;
    try {
      writeSync(this.#fd, `${JSON.stringify(auditEvent(log, code, nowMs))}\n`);
    } catch (error) {
      this.#onError(error);
    }
  }

  close(): void {
    if (this.#fd !== undefined && this.#fd !== STDOUT_FD) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

function openLog(path: string): number | undefined {
  if (path === '') return undefined;
  if (path === STDOUT) return STDOUT_FD;
  const fd = openSync(path, 'a', 0o600);
  chmodSync(path, 0o600);
  return fd;
}

/** Pure. */
export function auditEvent(log: RequestLog, code: number, nowMs: number): object {
  const { attributes, caller, user } = log;
  const time = (ms: number) => new Date(ms).toISOString().replace('Z', '000Z'); // microseconds
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    auditID: log.id,
    stage: 'ResponseComplete',
    requestURI: log.uri,
    verb: attributes?.verb ?? log.method.toLowerCase(),
    user: caller ? userInfo(caller) : {},
    ...(user && caller && user !== caller && { impersonatedUser: userInfo(user) }),
    sourceIPs: [log.sourceIp],
    userAgent: log.userAgent,
    ...(attributes?.type === 'resource' && {
      objectRef: {
        resource: attributes.resource,
        ...(attributes.namespace !== undefined && { namespace: attributes.namespace }),
        ...(attributes.name !== undefined && { name: attributes.name }),
        ...(attributes.group && { apiGroup: attributes.group }),
        ...(attributes.subresource !== undefined && { subresource: attributes.subresource }),
      },
    }),
    responseStatus: { metadata: {}, code },
    requestReceivedTimestamp: time(log.receivedMs),
    stageTimestamp: time(nowMs),
  };
}

function userInfo({ name, uid, groups, extra }: User): object {
  return { username: name, ...(uid && { uid }), groups, ...(extra && { extra }) };
}
