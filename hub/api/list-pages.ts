import { randomUUID } from 'node:crypto';
import { badRequest, expired } from '../resources/api-error.ts';
import type { ResourceDefinition } from '../resources/definition.ts';
import type { KubeObject } from '../resources/object.ts';

/** How long a client may take from one page to the next. */
const LIFETIME_MS = 5 * 60_000;
/** Lists that are kept for their next pages; they are references to objects, most of which exist anyway. */
const MAX_LISTS = 200;

interface KeptList {
  readonly resource: ResourceDefinition;
  readonly namespace: string | undefined;
  readonly items: readonly KubeObject[];
  readonly revision: number;
  readonly usedAtMs: number;
}

export interface Page {
  readonly items: readonly KubeObject[];
  /** Of the first page: all pages show the same state. */
  readonly revision: number;
  /** How many come after this page. */
  readonly remaining: number;
  /** Asks for the next page; undefined on the last one. */
  readonly token: string | undefined;
}

/** What `continue` and `limit` ask for. The rest of a list waits here until it is asked for, or for five minutes. */
export class ListPages {
  readonly #lists = new Map<string, KeptList>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** `limit` 0 is no limit. */
  first(list: Omit<KeptList, 'usedAtMs'>, limit: number): Page {
    return this.#page(randomUUID(), { ...list, usedAtMs: this.#now() }, 0, limit);
  }

  /** Throws 410 when the list is kept no longer, 400 for a token that was not given for this collection. */
  next(
    token: string,
    { resource, namespace }: Pick<KeptList, 'resource' | 'namespace'>,
    limit: number,
  ): Page {
    const { id, start } = decodeToken(token);
    this.#forgetOld();
    const list = this.#lists.get(id);
    if (!list) {
      throw expired(
        'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.',
      );
    }
    if (list.resource !== resource || list.namespace !== namespace) throw badToken();
    return this.#page(id, { ...list, usedAtMs: this.#now() }, start, limit);
  }

  #page(id: string, list: KeptList, start: number, limit: number): Page {
    const end = limit > 0 ? start + limit : list.items.length;
    const remaining = Math.max(list.items.length - end, 0);
    this.#lists.delete(id);
    if (remaining > 0) this.#lists.set(id, list); // the newest stands last
    this.#forgetOld();
    return {
      items: list.items.slice(start, end),
      revision: list.revision,
      remaining,
      token: remaining > 0 ? encodeToken(id, end) : undefined,
    };
  }

  #forgetOld(): void {
    const oldestMs = this.#now() - LIFETIME_MS;
    for (const [id, { usedAtMs }] of this.#lists) {
      if (usedAtMs >= oldestMs && this.#lists.size <= MAX_LISTS) return;
      this.#lists.delete(id);
    }
  }
}

function encodeToken(id: string, start: number): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', id, start })).toString('base64url');
}

function decodeToken(token: string): { id: string; start: number } {
  try {
    const { id, start } = JSON.parse(Buffer.from(token, 'base64url').toString());
    if (typeof id === 'string' && Number.isSafeInteger(start) && start >= 0) return { id, start };
  } catch {
    // Not one of ours.
  }
  throw badToken();
}

function badToken(): Error {
  return badRequest('continue key is not valid: it must be used as it was given, for the same collection');
}
