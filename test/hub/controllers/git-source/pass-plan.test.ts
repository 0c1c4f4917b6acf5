import t from 'tap';
import {
  isToApply,
  NEW_MEMORY,
  nextInMs,
  planPass,
} from '../../../../hub/controllers/git-source/pass-plan.ts';
import type { GitSourceObject, GitSourceStatus } from '../../../../hub/fleet/git-source.ts';

const NOW = 1_000_000;
const MEMORY = { ...NEW_MEMORY, generation: 2, nextMs: NOW + 5000 };
const asked = (at: string) => ({ 'fleet.holdfast.dev/reconcile-at': at });

function source(spec: object = {}, status: GitSourceStatus = {}, annotations: Record<string, string> = {}) {
  const metadata = { name: 's', generation: 2, annotations };
  return {
    metadata,
    spec: { interval: '5m', drift: 'correct', ...spec },
    status,
  } as unknown as GitSourceObject;
}

for (const [what, object, memory, plan] of [
  ['the first time', source(), NEW_MEMORY, { type: 'fetch', isAsked: false }],
  ['before its time', source(), MEMORY, { type: 'wait', waitMs: 5000 }],
  ['at its time', source(), { ...MEMORY, nextMs: NOW }, { type: 'fetch' }],
  ['changed', source(), { ...MEMORY, generation: 1 }, { type: 'fetch', isAsked: false }],
  ['pushed', source(), { ...MEMORY, isPushed: true }, { type: 'fetch', isAsked: false }],
  ['asked', source({}, {}, asked('1')), MEMORY, { type: 'fetch', isAsked: true }],
  ['asked and done', source({}, { lastHandledReconcileAt: '1' }, asked('1')), MEMORY, { type: 'wait' }],
  [
    'asked again',
    source({}, { lastHandledReconcileAt: '1' }, asked('2')),
    MEMORY,
    { type: 'fetch', isAsked: true },
  ],
  ['suspended, whatever else', source({ suspend: true }, {}, asked('1')), NEW_MEMORY, { type: 'suspended' }],
] as const)
  t.test(`${what}: ${plan.type}`, async (t) => {
    t.match(planPass(object, memory, NOW), plan);
  });

for (const [interval, failures, ms] of [
  ['5m', 0, 300_000],
  ['5m', 1, 10_000],
  ['5m', 2, 20_000],
  ['5m', 8, 900_000],
  ['5m', 1000, 900_000],
  ['24h', 12, 20_480_000],
  ['24h', 1000, 86_400_000],
] as const)
  t.test(`every ${interval}, after ${failures} failures: ${ms} ms`, async (t) => {
    t.equal(nextInMs(source({ interval }), failures), ms);
  });

const done = { lastAppliedRevision: 'a', observedGeneration: 2 };
for (const [what, object, isAsked, isApplied] of [
  ['correct: what differs is drift', source({}, done), false, false],
  ['correct: another revision', source({}, { ...done, lastAppliedRevision: 'b' }), false, true],
  ['report: not again', source({ drift: 'report' }, done), false, false],
  ['report: when asked', source({ drift: 'report' }, done), true, true],
  [
    'report: another revision',
    source({ drift: 'report' }, { ...done, lastAppliedRevision: 'b' }),
    false,
    true,
  ],
  ['report: another spec', source({ drift: 'report' }, { ...done, observedGeneration: 1 }), false, true],
  [
    'report: after failures',
    source({ drift: 'report' }, { ...done, failures: [{ message: 'x' }] }),
    false,
    true,
  ],
] as const)
  t.test(`is it applied? ${what}`, async (t) => {
    t.equal(isToApply(object, 'a', isAsked), isApplied);
  });
