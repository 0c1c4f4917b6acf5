import { randomUUID } from 'node:crypto';
import { badRequest, expired, qualifiedName } from '../resources/api-error.ts';
import type { ResourceDefinition } from '../resources/definition.ts';
import { compareKeys, type KubeObject, objectKey } from '../resources/object.ts';

/** How long a client may take from one page to the next. */
const LIFETIME_MS = 5 * 60_000;
/** Lists that are kept for their next pages; they are references to objects, most of which exist anyway. */
const MAX_LISTS = 200;
const TOO_OLD =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list: objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.';

interface KeptList {
  readonly resource: ResourceDefinition;
  readonly namespace: string | undefined;
  readonly items: readonly KubeObject[];
  readonly revision: number;
  readonly usedAtMs: number;
}

/** Whose pages are asked for. */
interface Collection extends Pick<KeptList, 'resource' | 'namespace'> {
  /** What there is now, for who goes on after the list of then is gone. */
  readonly newest: () => Omit<KeptList, 'usedAtMs'>;
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

  /**
   * Throws 410 when the list is kept no longer, with a token for what there is now behind the last page; 400 for a
   * token that was not given for this collection.
   */
  next(token: string, collection: Collection, limit: number): Page {
    const { of, after, id, start } = decodeToken(token);
    if (of !== collectionName(collection)) throw badToken();
    if (id === undefined) return this.first(restOf(collection.newest(), after), limit);
    this.#forgetOld();
    const list = this.#lists.get(id);
    if (!list) throw expired(TOO_OLD, encodeToken({ of, after, start: 0 }));
    return this.#page(id, { ...list, usedAtMs: this.#now() }, start, limit);
  }

  #page(id: string, list: KeptList, start: number, limit: number): Page {
    const end = limit > 0 ? start + limit : list.items.length;
    const remaining = Math.max(list.items.length - end, 0);
    const items = list.items.slice(start, end);
    const last = items.at(-1);
    this.#lists.delete(id);
    if (remaining > 0) this.#lists.set(id, list); // the newest stands last
    this.#forgetOld();
    return {
      items,
      revision: list.revision,
      remaining,
      token:
        remaining > 0 && last
          ? encodeToken({ of: collectionName(list), after: objectKey(last), id, start: end })
          : undefined,
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

/** Where a list goes on: in the list of that id, and if it is gone, behind the object of that key. */
interface Token {
  readonly of: string;
  readonly after: string;
  readonly id?: string;
  readonly start: number;
}

function collectionName({ resource, namespace = '' }: Pick<KeptList, 'resource' | 'namespace'>): string {
  return `${qualifiedName(resource)}/${namespace}`;
}

/** What comes behind a key, whether or not there is still an object of it. */
function restOf<T extends Pick<KeptList, 'items'>>(list: T, after: string): T {
  return { ...list, items: list.items.filter((object) => compareKeys(objectKey(object), after) > 0) };
}

function encodeToken(token: Token): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', ...token })).toString('base64url');
}

function decodeToken(token: string): Token {
  try {
    const { of, after, id, start } = JSON.parse(Buffer.from(token, 'base64url').toString());
    const texts = [of, after, ...(id === undefined ? [] : [id])];
    if (texts.every((text) => typeof text === 'string') && Number.isSafeInteger(start) && start >= 0)
      return { of, after, id, start };
  } catch {
    // Not one of ours.
  }
  throw badToken();
}

function badToken(): Error {
  return badRequest('continue key is not valid: it must be used as it was given, for the same collection');
}
