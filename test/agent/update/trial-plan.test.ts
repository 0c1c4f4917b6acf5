import t from 'tap';
import type { Trial } from '../../../agent/update/slots.ts';
import { decideTrial, type TrialSituation } from '../../../agent/update/trial-plan.ts';

const trial: Trial = {
  slot: 'a',
  request: 'x',
  from: '1.0.0',
  hadContact: true,
  hadEngine: true,
  seconds: 30,
  minHealthySeconds: 5,
};
const decide = (seen: Partial<TrialSituation>, change: Partial<Trial> = {}) =>
  decideTrial(
    { ...trial, ...change },
    {
      slot: 'a',
      isCurrent: false,
      hasContact: false,
      hasLooked: false,
      healthySinceMs: 0,
      startedMs: 0,
      nowMs: 1_000,
      ...seen,
    },
  );

t.test('contact and the engine prove a version', async (t) => {
  t.match(decide({ hasContact: true, hasLooked: true }), { type: 'confirm', reason: 'Connected' });
  t.match(decide({ hasContact: true }), { type: 'wait' }, 'one that does not find its pods is none');
  t.match(
    decide({ hasContact: true }, { hadEngine: false }),
    { type: 'confirm' },
    'the one before did not either',
  );
  t.match(decide({ isCurrent: true }), { type: 'confirm' }, 'an agent ended in the middle of that');
});

t.test('where the one before had contact, this one must as well', async (t) => {
  t.same(decide({ hasLooked: true, nowMs: 20_000 }), { type: 'wait', wakeAtMs: 27_000 });
  t.same(decide({ hasLooked: true, nowMs: 27_000 }), { type: 'give-up', reason: 'NoContact' });
});

t.test('without the hub it must do well for a while', async (t) => {
  const away = { hadContact: false };
  t.same(decide({ hasLooked: true }, away), { type: 'wait', wakeAtMs: 5_000 });
  t.match(decide({ hasLooked: true, nowMs: 5_000 }, away), { type: 'confirm', reason: 'LocallyHealthy' });
  t.match(decide({ hasLooked: true, nowMs: 5_000, healthySinceMs: 2_000 }, away), { wakeAtMs: 7_000 });
  t.same(decide({ nowMs: 27_000 }, away), { type: 'give-up', reason: 'Unhealthy' });
});
