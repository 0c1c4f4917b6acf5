import type { Call, Command } from '../command.ts';
import { dataText, tableText } from '../print.ts';
import { SELECTION } from './find-nodes.ts';
import type { PendingDevice } from './pending-requests.ts';

/** It loads what reads certificate requests: who needs none is to be answered at once. */
const requests = () => import('./pending-requests.ts');

export const pending: Command = {
  arguments: '',
  takes: [0, 0],
  about: 'devices that wait for approval: their tokens ask for that',
  flags: SELECTION,
  examples: ['', '-l holdfast.dev/join-token=k3j9x0', '-o json'],
  outputs: ['json', 'yaml', 'wide'],
  isClusterWide: true,
  run: async (call) => {
    const { client, output, surroundings } = call;
    const { listPending, pendingTable } = await requests();
    const waiting = await listPending(client, call.text('selector'));
    if (output === 'json' || output === 'yaml') {
      const items = waiting.map(({ request }) => request);
      call.print(dataText(output, { apiVersion: 'v1', kind: 'List', items }));
    } else if (waiting.length === 0) call.warn('no device waits for approval');
    else
      call.print(
        tableText(
          pendingTable(waiting, call.now),
          output === 'wide' ? undefined : surroundings.stdout.columns,
        ),
      );
    return undefined;
  },
};

function decision(type: 'Approved' | 'Denied', done: string, about: string): Command {
  return {
    arguments: '[NAME ...]',
    takes: [0, 1000],
    about,
    flags: {
      ...SELECTION,
      reason: { type: 'string', value: 'TEXT', about: 'why; a device that is denied tells it' },
    },
    examples: ['press-17', '-l holdfast.dev/join-token=k3j9x0'],
    isClusterWide: true,
    run: async (call) => {
      for (const device of await meant(call)) {
        await decide(call, device, type);
        call.print(`node ${device.node} ${done} (key ${device.keyHash})`);
      }
      return undefined;
    },
  };
}

async function meant(call: Call): Promise<readonly PendingDevice[]> {
  const selector = call.text('selector');
  const names = call.arguments;
  if (names.length > 0 && selector !== undefined) throw new Error('give names or --selector, not both');
  const { listPending, pendingNamed } = await requests();
  const waiting = await listPending(call.client, selector);
  if (selector !== undefined && waiting.length === 0)
    throw new Error(`no device that waits has the labels "${selector}"`);
  if (names.length > 0) return pendingNamed(names, waiting);
  if (selector !== undefined) return waiting;
  throw new Error('name a device, or several with --selector: "holdfast node pending" lists those who wait');
}

async function decide(call: Call, { request }: PendingDevice, type: 'Approved' | 'Denied'): Promise<void> {
  const { conditions = [] } = request.status ?? {};
  const reason = type === 'Approved' ? 'ApprovedByOperator' : 'DeniedByOperator';
  const condition = { type, status: 'True', reason, message: call.text('reason') ?? '' };
  const body = { ...request, status: { ...request.status, conditions: [...conditions, condition] } };
  const { approvalPath } = await requests();
  await call.client.call('PUT', approvalPath(request.metadata.name ?? ''), body);
}

export const approve = decision(
  'Approved',
  'approved',
  'makes devices that wait nodes; compare their keys with what they tell. As kubectl certificate approve',
);
export const deny = decision('Denied', 'denied', 'refuses devices that wait, for good');
