import type { RolloutObject } from '../../fleet/rollout.ts';
import { since } from '../../resources/human-duration.ts';
import type { Call, Command } from '../command.ts';
import { dataText, tableText } from '../print.ts';
import { listRollouts, newestFirst, parseReference, workloadOf } from './find-rollout.ts';
import { referenceText } from './workload.ts';

export const list: Command = {
  arguments: '[ds/NAME|deploy/NAME|ar/NAME]',
  takes: [0, 1],
  about: 'all rollouts, the newest first',
  flags: { 'all-namespaces': { type: 'boolean', short: 'A', about: 'of all namespaces' } },
  examples: ['', 'ds/app', '--all-namespaces -o wide'],
  outputs: ['json', 'yaml', 'wide'],
  run: async (call) => {
    const rollouts = await found(call);
    const { output, surroundings } = call;
    if (output === 'json' || output === 'yaml')
      call.print(dataText(output, { apiVersion: 'v1', kind: 'List', items: rollouts }));
    else if (rollouts.length === 0) call.warn('there are no rollouts');
    else {
      const table = tableOf(rollouts, {
        nowMs: call.now,
        isWide: output === 'wide',
        withNamespace: call.has('all-namespaces'),
      });
      call.print(tableText(table, output === 'wide' ? undefined : surroundings.stdout.columns));
    }
    return undefined;
  },
};

async function found(call: Call): Promise<readonly RolloutObject[]> {
  const [given] = call.arguments;
  if (call.has('all-namespaces')) {
    const { items } = await call.client.call<{ items: RolloutObject[] }>(
      'GET',
      '/apis/fleet.holdfast.dev/v1/rollouts',
    );
    return newestFirst(items);
  }
  if (given === undefined) return listRollouts(call.client, call.namespace);
  const reference = parseReference(given);
  if (reference.type === 'workload') return listRollouts(call.client, call.namespace, reference.workload);
  throw new Error(`it lists those of a workload: write ds/${reference.name} or deploy/${reference.name}`);
}

interface Shape {
  readonly nowMs: number;
  readonly isWide: boolean;
  readonly withNamespace: boolean;
}

export function tableOf(rollouts: readonly RolloutObject[], { nowMs, isWide, withNamespace }: Shape) {
  const head = [
    'NAME',
    'WORKLOAD',
    'REVISION',
    'PHASE',
    'WAVE',
    'DEVICES',
    'DONE',
    'FAILED',
    'LOST',
    'DARK',
    'AGE',
  ];
  const rows = rollouts.map(({ metadata, spec, status = {} }) => {
    const { devices = 0, succeeded = 0, failed = 0, lost = 0, dark = 0 } = status;
    return [
      ...(withNamespace ? [metadata.namespace ?? ''] : []),
      metadata.name ?? '',
      referenceText(workloadOf(spec)),
      `${spec.to.number}`,
      status.phase ?? 'Pending',
      status.wave ?? '',
      ...[devices, succeeded, failed, lost, dark].map(String),
      since(metadata.creationTimestamp, nowMs),
      ...(isWide ? [spec.policyName, status.message ?? ''] : []),
    ];
  });
  return {
    head: [...(withNamespace ? ['NAMESPACE'] : []), ...head, ...(isWide ? ['POLICY', 'MESSAGE'] : [])],
    rows,
  };
}
