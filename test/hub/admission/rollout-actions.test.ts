import t from 'tap';
import { type RolloutObject, rollouts } from '../../../hub/fleet/rollout.ts';
import { minimalObject } from '../resources/minimal-objects.ts';
import { refusalOf, withPolicies } from './policies.ts';

t.test('who asked for what, and when, is what the hub saw', async (t) => {
  const { registry, create } = await withPolicies(t);
  const options = { fieldManager: 'test', requester: { name: 'ann', groups: [] } };
  const made = await create(rollouts, minimalObject(rollouts, 'app-2'));
  const ask = (current: RolloutObject, ...actions: object[]) =>
    registry.update(
      rollouts,
      {
        ...current,
        spec: { ...current.spec, actions: [...(current.spec.actions ?? []), ...actions] },
      } as RolloutObject,
      options,
    ) as Promise<RolloutObject>;
  const paused = await ask(made as RolloutObject, {
    type: 'pause',
    reason: 'lunch',
    by: 'bob',
    at: '2000-01-01T00:00:00Z',
  });
  t.match(paused.spec.actions, [{ type: 'pause', reason: 'lunch', by: 'ann' }]);
  t.ok(Date.parse(paused.spec.actions?.[0]?.at ?? '') > Date.parse('2026-01-01T00:00:00Z'));
  const bob = { ...options, requester: { name: 'bob', groups: [] } };
  const resumed = (await registry.update(
    rollouts,
    {
      ...paused,
      spec: { ...paused.spec, actions: [...(paused.spec.actions ?? []), { type: 'resume' }] },
    } as RolloutObject,
    bob,
  )) as RolloutObject;
  t.match(resumed.spec.actions, [{ by: 'ann' }, { type: 'resume', by: 'bob' }], 'what was there stays');
  const forged = { ...resumed, spec: { ...resumed.spec, actions: [{ type: 'resume' }] } } as RolloutObject;
  t.match(await refusalOf(registry.update(rollouts, forged, bob)), /actions may only be added/);
  const other = { ...resumed, spec: { ...resumed.spec, to: { number: 9, hash: 'x' } } } as RolloutObject;
  t.match(await refusalOf(registry.update(rollouts, other, bob)), /field is immutable/);
  t.match(
    await refusalOf(ask(resumed, { type: 'approve', wave: 'nobody' })),
    /spec.actions\[2\].wave: Invalid value: "nobody": the rollout has no such wave: it has rest/,
  );
});
