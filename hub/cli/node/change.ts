import type { NodeObject } from '../../resources/typed.ts';
import { isRevoked, KEY_ANNOTATION, revokedKey } from '../../security/node-identity.ts';
import { MERGE_PATCH } from '../api-client.ts';
import type { Call, Command } from '../command.ts';
import { findNodes, nodePath, SELECTION } from './find-nodes.ts';

const PATCHES_AT_ONCE = 16;

/** Does something to each node, so many at a time, in their order. */
export async function forEach(
  nodes: readonly NodeObject[],
  act: (node: NodeObject) => Promise<void>,
  atOnce = PATCHES_AT_ONCE,
): Promise<void> {
  const left = [...nodes];
  const work = async () => {
    for (let node = left.shift(); node; node = left.shift()) await act(node);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}

export function patch({ client }: Call, { metadata }: NodeObject, body: object): Promise<unknown> {
  const path = `${nodePath(metadata.name ?? '')}?fieldManager=holdfast`;
  return client.call('PATCH', path, body, { contentType: MERGE_PATCH });
}

export const label: Command = {
  arguments: '[NAME ...] KEY=VALUE ... KEY- ...',
  takes: [1, 1000],
  about: 'sets labels, and removes those with a - behind their key',
  flags: {
    ...SELECTION,
    overwrite: { type: 'boolean', about: 'also labels that have another value' },
  },
  examples: ['press-17 site=berlin', '-l site=berlin ring=canary --overwrite', 'press-17 ring-'],
  isClusterWide: true,
  run: async (call) => {
    const isChange = (text: string) => text.includes('=') || text.endsWith('-');
    const changes = call.arguments.filter(isChange);
    if (changes.length === 0) throw new Error('name labels: KEY=VALUE to set, KEY- to remove');
    const nodes = await findNodes(
      call,
      call.arguments.filter((text) => !isChange(text)),
    );
    const labels = labelsOf(changes);
    if (!call.has('overwrite')) refuseOverwrites(nodes, labels);
    await forEach(nodes, async (node) => {
      await patch(call, node, { metadata: { labels } });
      call.print(`node ${node.metadata.name} labelled`);
    });
    return undefined;
  },
};

type Labels = Readonly<Record<string, string | null>>;

/** As a merge patch has them: null is removed. */
function labelsOf(changes: readonly string[]): Labels {
  return Object.fromEntries(
    changes.map((text): [string, string | null] => {
      const at = text.indexOf('=');
      return at === -1 ? [text.slice(0, -1), null] : [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

function refuseOverwrites(nodes: readonly NodeObject[], labels: Labels): void {
  for (const { metadata } of nodes)
    for (const [key, value] of Object.entries(labels)) {
      const found = metadata.labels?.[key];
      if (value !== null && found !== undefined && found !== value)
        throw new Error(
          `node ${metadata.name} has ${key}=${found} already: say --overwrite to make it ${value}`,
        );
    }
}

function scheduling(unschedulable: boolean, done: string, about: string): Command {
  return {
    arguments: '[NAME ...]',
    takes: [0, 1000],
    about,
    flags: SELECTION,
    examples: ['press-17', '-l site=berlin'],
    isClusterWide: true,
    run: async (call) => {
      await forEach(await findNodes(call, call.arguments), async (node) => {
        await setUnschedulable(call, node, unschedulable);
        call.print(`node ${node.metadata.name} ${done}`);
      });
      return undefined;
    },
  };
}

export async function setUnschedulable(call: Call, node: NodeObject, unschedulable: boolean): Promise<void> {
  if ((node.spec.unschedulable ?? false) === unschedulable) return;
  await patch(call, node, { spec: { unschedulable: unschedulable || null } });
}

export const cordon = scheduling(
  true,
  'cordoned',
  'gives a node no new pods; pods of DaemonSets come as before',
);
export const uncordon = scheduling(false, 'uncordoned', 'lets a node have new pods again');

export const revoke: Command = {
  arguments: '[NAME ...]',
  takes: [0, 1000],
  about: 'takes a device its access: no key is that of the node any more, and its connection ends',
  flags: { ...SELECTION, yes: { type: 'boolean', about: 'needed with --selector' } },
  examples: ['press-17', '-l site=closed --yes'],
  isClusterWide: true,
  run: async (call) => {
    const nodes = await findNodes(call, call.arguments);
    const names = nodes.map(({ metadata }) => metadata.name).join(', ');
    if (call.text('selector') !== undefined && !call.has('yes'))
      throw new Error(`say --yes to revoke the access of ${names}`);
    const at = new Date(call.now).toISOString();
    await forEach(nodes, async (node) => {
      if (isRevoked(node)) return call.print(`node ${node.metadata.name} is revoked already`);
      await patch(call, node, { metadata: { annotations: { [KEY_ANNOTATION]: revokedKey(at) } } });
      call.print(
        `node ${node.metadata.name} revoked: the hub refuses its device, whose containers go on running`,
      );
    });
    call.warn('Keep the Node: without it the device could join again with the certificate that it has.');
    return undefined;
  },
};
