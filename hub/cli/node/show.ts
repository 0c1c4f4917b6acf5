import type { DeviceUpdateObject } from '../../fleet/device-update.ts';
import type { Call, Command } from '../command.ts';
import { dataText, tableText } from '../print.ts';
import { findNode, findNodes, listNodes, SELECTION } from './find-nodes.ts';
import { nodeTable, nodeText, updatesByNode } from './node-text.ts';

const UPDATES = '/apis/fleet.holdfast.dev/v1/deviceupdates';

export const list: Command = {
  arguments: '[NAME ...]',
  takes: [0, 1000],
  about: 'nodes: whether they can be reached, since when not, their agents, and where rollouts are there',
  flags: SELECTION,
  examples: ['', '-l site=berlin', 'press-17 press-18 -o wide', '-o json'],
  outputs: ['json', 'yaml', 'wide'],
  isClusterWide: true,
  run: async (call) => {
    const { client, output, surroundings } = call;
    const isAll = call.arguments.length === 0;
    const nodes = isAll
      ? await listNodes(client, call.text('selector'))
      : await findNodes(call, call.arguments);
    if (output === 'json' || output === 'yaml') {
      call.print(dataText(output, { apiVersion: 'v1', kind: 'List', items: nodes }));
      return undefined;
    }
    if (nodes.length === 0) {
      call.warn('there are no nodes');
      return undefined;
    }
    const updates = isAll
      ? await updatesOf(call)
      : (await Promise.all(call.arguments.map((name) => updatesOf(call, name)))).flat();
    const isWide = output === 'wide';
    const table = nodeTable(nodes, updatesByNode(updates), { nowMs: call.now, isWide });
    call.print(tableText(table, isWide ? undefined : surroundings.stdout.columns));
    return undefined;
  },
};

async function updatesOf({ client }: Call, node?: string): Promise<readonly DeviceUpdateObject[]> {
  const query = node === undefined ? '' : `?fieldSelector=${encodeURIComponent(`spec.node=${node}`)}`;
  return (await client.call<{ items: DeviceUpdateObject[] }>('GET', `${UPDATES}${query}`)).items;
}

export const show: Command = {
  arguments: 'NAME',
  takes: [1, 1],
  about: 'everything about a node, and where each rollout is there',
  examples: ['press-17', 'press-17 -o json'],
  outputs: ['json', 'yaml', 'wide'],
  isClusterWide: true,
  run: async (call) => {
    const { client, output, surroundings } = call;
    const [name = ''] = call.arguments;
    const node = await findNode(client, name);
    if (output === 'json' || output === 'yaml') {
      call.print(dataText(output, node));
      return undefined;
    }
    const updates = await updatesOf(call, name);
    const columns = output === 'wide' ? undefined : surroundings.stdout.columns;
    call.print(
      nodeText(
        node,
        updates.map(({ spec }) => spec),
        { nowMs: call.now, columns },
      ),
    );
    return undefined;
  },
};
