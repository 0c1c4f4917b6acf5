import type { ControllerRevisionObject, DaemonSetObject } from '../../resources/typed.ts';
import { STRATEGIC_PATCH } from '../api-client.ts';
import { type Call, type Command, numberFlag } from '../command.ts';
import { act, refusalOf } from './actions.ts';
import { revisionsOf } from './await-rollout.ts';
import { daemonSetsPath, findRollout, listRollouts, noDaemonSet, parseReference } from './find-rollout.ts';

export const undo: Command = {
  arguments: 'NAME|ds/NAME',
  takes: [1, 1],
  about: 'goes back to the last stable revision, or forward to any of the history with --to',
  flags: {
    to: { type: 'string', value: 'NUMBER', about: 'a revision, as "history" numbers them' },
    reason: { type: 'string', value: 'TEXT', about: 'why: it goes into the record' },
  },
  examples: ['ds/app --reason "drops connections"', 'app-3', 'ds/app --to 2'],
  run: async (call) => {
    const to = numberFlag(call, 'to');
    if (to !== undefined) await goTo(call, await workloadOf(call), to);
    else await goBack(call);
    return undefined;
  },
};

/** What is on its way is undone by its record, which then tells who did it and why. */
async function goBack(call: Call): Promise<void> {
  const { client, namespace } = call;
  const { type, name } = parseReference(call.arguments[0] ?? '');
  if (type === 'workload' && (await listRollouts(client, namespace, name)).length === 0)
    return goTo(call, name, undefined); // never changed under a policy
  const rollout = await findRollout(client, namespace, call.arguments[0]);
  const workload = rollout.spec.workload.name;
  const [newest] = await listRollouts(client, namespace, workload);
  const refusal = refusalOf(rollout, { type: 'undo' });
  if (!refusal && newest && newest.metadata.name !== rollout.metadata.name)
    throw new Error(
      `rollout "${rollout.metadata.name}" is not the newest of DaemonSet ${workload} (${newest.metadata.name} is): name the revision to go to with --to`,
    );
  const reason = call.text('reason');
  await act(call, rollout, { type: 'undo', ...(reason && { reason }) });
}

async function workloadOf(call: Call): Promise<string> {
  const { type, name } = parseReference(call.arguments[0] ?? '');
  if (type === 'workload') return name;
  const { spec } = await findRollout(call.client, call.namespace, call.arguments[0]);
  return spec.workload.name;
}

/** As "kubectl rollout undo": the template of a revision becomes the newest. */
async function goTo(call: Call, workload: string, to: number | undefined): Promise<void> {
  const { client, namespace } = call;
  const path = `${daemonSetsPath(namespace)}/${encodeURIComponent(workload)}`;
  const set = await client.find<DaemonSetObject>(path);
  if (!set) throw await noDaemonSet(client, namespace, workload);
  const revisions = await revisionsOf(client, set);
  const revision = chosen(workload, revisions, to);
  if (revision === revisions[0]) {
    call.print(`DaemonSet ${workload} is at revision ${revision.revision} already`);
    return;
  }
  await client.call('PATCH', `${path}?fieldManager=holdfast`, revision.data, {
    contentType: STRATEGIC_PATCH,
  });
  call.print(`DaemonSet ${workload} goes to the template of revision ${revision.revision}`);
}

function chosen(
  workload: string,
  revisions: readonly ControllerRevisionObject[],
  to: number | undefined,
): ControllerRevisionObject {
  const found = to === undefined ? revisions[1] : revisions.find(({ revision }) => revision === to);
  if (found) return found;
  const there = revisions.map(({ revision }) => revision).join(', ') || 'none';
  throw new Error(
    `DaemonSet "${workload}" has no ${to === undefined ? 'revision before the present one' : `revision ${to}`}: there are ${there}`,
  );
}
