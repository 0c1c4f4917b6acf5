import { MERGE_PATCH, STRATEGIC_PATCH } from '../api-client.ts';
import { type Call, type Command, numberFlag } from '../command.ts';
import { act, refusalOf } from './actions.ts';
import { findRollout, listRollouts, parseReference, workloadOf } from './find-rollout.ts';
import {
  findWorkload,
  type Version,
  versionsOf,
  type WorkloadReference,
  workloadPath,
  workloadText,
} from './workload.ts';

export const undo: Command = {
  arguments: 'NAME|ds/NAME|deploy/NAME|ar/NAME',
  takes: [1, 1],
  about: 'goes back to the last stable revision, or forward to any of the history with --to',
  flags: {
    to: { type: 'string', value: 'NUMBER', about: 'a revision, as "history" numbers them' },
    reason: { type: 'string', value: 'TEXT', about: 'why: it goes into the record' },
  },
  examples: ['ds/app --reason "drops connections"', 'app-3', 'ds/app --to 2'],
  run: async (call) => {
    const to = numberFlag(call, 'to');
    if (to !== undefined) await goTo(call, await workloadNamed(call), to);
    else await goBack(call);
    return undefined;
  },
};

/** What is on its way is undone by its record, which then tells who did it and why. */
async function goBack(call: Call): Promise<void> {
  const { client, namespace } = call;
  const reference = parseReference(call.arguments[0] ?? '');
  const named = reference.type === 'workload' ? reference.workload : undefined;
  if (named && (await listRollouts(client, namespace, named)).length === 0)
    return goTo(call, named, undefined); // never changed under a policy
  const rollout = await findRollout(client, namespace, call.arguments[0]);
  const workload = workloadOf(rollout.spec);
  const [newest] = await listRollouts(client, namespace, workload);
  const refusal = refusalOf(rollout, { type: 'undo' });
  if (!refusal && newest && newest.metadata.name !== rollout.metadata.name)
    throw new Error(
      `rollout "${rollout.metadata.name}" is not the newest of ${workloadText(workload)} (${newest.metadata.name} is): name the revision to go to with --to`,
    );
  const reason = call.text('reason');
  await act(call, rollout, { type: 'undo', ...(reason && { reason }) });
}

async function workloadNamed(call: Call): Promise<WorkloadReference> {
  const reference = parseReference(call.arguments[0] ?? '');
  if (reference.type === 'workload') return reference.workload;
  const { spec } = await findRollout(call.client, call.namespace, call.arguments[0]);
  return workloadOf(spec);
}

/** As "kubectl rollout undo": the template of a revision becomes the newest. */
async function goTo(call: Call, workload: WorkloadReference, to: number | undefined): Promise<void> {
  const { client, namespace } = call;
  const found = await findWorkload(client, namespace, workload);
  const versions = await versionsOf(client, workload.kind, found);
  const version = chosen(workload, versions, to);
  if (version === versions[0]) {
    call.print(`${workloadText(workload)} is at revision ${version.number} already`);
    return;
  }
  const isRelease = workload.kind === 'AgentRelease';
  const patch = isRelease
    ? { spec: { version: version.hash } }
    : { spec: { template: { ...version.template, $patch: 'replace' } } };
  await client.call('PATCH', `${workloadPath(namespace, workload)}?fieldManager=holdfast`, patch, {
    contentType: isRelease ? MERGE_PATCH : STRATEGIC_PATCH,
  });
  const what = isRelease ? `version ${version.hash}` : 'the template';
  call.print(`${workloadText(workload)} goes to ${what} of revision ${version.number}`);
}

function chosen(
  { kind, name }: WorkloadReference,
  versions: readonly Version[],
  to: number | undefined,
): Version {
  const found = to === undefined ? versions[1] : versions.find(({ number }) => number === to);
  if (found) return found;
  const there = versions.map(({ number }) => number).join(', ') || 'none';
  throw new Error(
    `${kind} "${name}" has no ${to === undefined ? 'revision before the present one' : `revision ${to}`}: there are ${there}`,
  );
}
