import type { NodeObject } from '../../resources/typed.ts';
import type { ApiClient } from '../api-client.ts';
import type { Call, Command } from '../command.ts';

const NAMES_TOLD = 10;

export const nodePath = (name: string) => `/api/v1/nodes/${encodeURIComponent(name)}`;

/** Flags of commands that may be for several nodes. */
export const SELECTION: NonNullable<Command['flags']> = {
  selector: {
    type: 'string',
    short: 'l',
    value: 'LABELS',
    about: 'those with these labels: site=berlin,ring!=canary',
  },
};

/** The nodes that are named, or that the selector takes. Throws when one is not there, and when there are none. */
export async function findNodes(call: Call, names: readonly string[]): Promise<readonly NodeObject[]> {
  const selector = call.text('selector');
  if (names.length > 0 && selector !== undefined) throw new Error('give names or --selector, not both');
  if (names.length === 0 && selector === undefined)
    throw new Error('name a node, or several with --selector');
  if (selector === undefined)
    return Promise.all([...new Set(names)].map((name) => findNode(call.client, name)));
  const found = await listNodes(call.client, selector);
  if (found.length === 0) throw new Error(`no node has the labels "${selector}"`);
  return found;
}

export async function listNodes(client: ApiClient, selector?: string): Promise<readonly NodeObject[]> {
  const query = selector === undefined ? '' : `?labelSelector=${encodeURIComponent(selector)}`;
  return (await client.call<{ items: NodeObject[] }>('GET', `/api/v1/nodes${query}`)).items;
}

/** Throws an error that tells some of those that there are. */
export async function findNode(client: ApiClient, name: string): Promise<NodeObject> {
  const found = await client.find<NodeObject>(nodePath(name));
  if (found) return found;
  const { items, metadata } = await client.call<{
    items: NodeObject[];
    metadata: { remainingItemCount?: number };
  }>('GET', `/api/v1/nodes?limit=${NAMES_TOLD}`);
  const names = items.map((each) => each.metadata.name).join(', ') || 'none';
  const more = metadata.remainingItemCount ? ` and ${metadata.remainingItemCount} more` : '';
  throw new Error(`no device "${name}": there are ${names}${more}`);
}
