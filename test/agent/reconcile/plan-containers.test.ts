import t from 'tap';
import type { Health, PodInput } from '../../../agent/pod/observation.ts';
import { planPod } from '../../../agent/reconcile/plan.ts';
import type { ObservedContainer } from '../../../agent/runtime/runtime.ts';
import { container, ended, makePod, observed, podInput } from '../builders.ts';

/* Init containers, sidecars, hooks and the pod's deadline: which step comes next. */

const sidecar = { restartPolicy: 'Always' } as const;
const pod = makePod({
  initContainers: [container('first'), container('side', sidecar), container('last', sidecar)],
  containers: [container('a'), container('b')],
});
const infra = (rest: Partial<ObservedContainer> = {}) =>
  observed(pod, { role: 'infra', container: '', id: 'infra', specHash: '', ...rest });
const runs = (name: string, rest = {}) => observed(pod, { container: name, infra: 'infra', ...rest });
const over = (name: string, exitCode: number, rest = {}) =>
  ended(pod, { container: name, exitCode, infra: 'infra', ...rest });
const done = over('first', 0);
const everything = [infra(), done, runs('side'), runs('last'), runs('a'), runs('b')];
const never = (base = pod) => makePod({ ...base.spec, restartPolicy: 'Never' });
const deleted = makePod(pod.spec, { deletionTimestamp: '2026-01-01T00:00:00Z' });

function plan(input: Partial<PodInput>) {
  return planPod(podInput(pod, input));
}

const steps = (input: Partial<PodInput>) =>
  plan(input).actions.map((action) => {
    if (action.type === 'run') return `run ${action.container} ${action.attempt}`;
    if (action.type === 'terminate') return `terminate ${action.id} ${action.graceMs}`;
    return 'id' in action ? `${action.type} ${action.id}` : action.type;
  });

t.test('who begins', async (t) => {
  const started =
    (...ids: string[]) =>
    (id: string): Health => ({ started: ids.includes(id), ready: true });
  const rows: [string, Partial<PodInput>, string[]][] = [
    ['the network first', {}, ['run-infra']],
    ['then the first init container, alone', { containers: [infra()] }, ['run first 0']],
    ['nothing while it works', { containers: [infra(), runs('first')] }, []],
    ['the next when it has succeeded', { containers: [infra(), done] }, ['run side 0']],
    ['again when it has not', { containers: [infra(), over('first', 1)] }, ['run first 1']],
    [
      'nothing while a sidecar starts up',
      { containers: [infra(), done, runs('side')], health: started() },
      [],
    ],
    [
      'the next when it has',
      { containers: [infra(), done, runs('side')], health: started('side-0') },
      ['run last 0'],
    ],
    [
      'a sidecar that ended meanwhile, and not who waits for it',
      { containers: [infra(), done, over('side', 0), runs('last')] },
      ['run side 1'],
    ],
    [
      'all of the pod, when all is prepared',
      { containers: [infra(), done, runs('side'), runs('last')] },
      ['run a 0', 'run b 0'],
    ],
    [
      'only what is not there: what somebody has removed was done before',
      { containers: [infra(), runs('side'), runs('last'), runs('a')] },
      ['run b 0'],
    ],
    ['who came before is known of who came later', { containers: [infra(), runs('side')] }, ['run last 0']],
    [
      'a sidecar goes on being restarted',
      { containers: [infra(), done, over('side', 1), runs('last'), runs('a'), runs('b')] },
      ['run side 1'],
    ],
    [
      'under another network all begins anew',
      { containers: [infra({ id: 'new' }), done, over('side', 0), over('last', 0), over('a', 0)] },
      ['run first 1'],
    ],
  ];
  for (const [what, input, expected] of rows) t.same(steps(input), expected, what);
});

t.test('an init container that fails for good ends the pod', async (t) => {
  const failing = never();
  const containers = [infra(), over('first', 3)];
  t.same(steps({ pod: failing, containers }), [], 'it is told first');
  t.same(steps({ pod: failing, containers, finished: true }), ['kill infra'], 'then its network goes');
});

t.test('hooks hold up who comes later, at the beginning', async (t) => {
  const exec = { command: ['true'] };
  const hooked = makePod({
    containers: [container('a', { lifecycle: { postStart: { exec } } }), container('b')],
  });
  t.same(steps({ pod: hooked, containers: [infra()] }), ['run a 0']);
  t.same(steps({ pod: hooked, containers: [infra(), runs('a')], hooks: new Set(['a-0']) }), []);
  t.same(steps({ pod: hooked, containers: [infra(), runs('a')] }), ['run b 0']);
  const again = [infra(), over('a', 1), runs('b')];
  t.same(steps({ pod: hooked, containers: again }), ['run a 1'], 'a restart holds up nobody');
});

t.test('who was ended for want of a network runs again at once, and it is not counted', async (t) => {
  const one = makePod();
  const restart = (infraId: string, crashes: number) => {
    const made = observed(one, { role: 'infra', container: '', id: infraId, specHash: '' });
    const last = ended(one, { infra: 'infra', crashes });
    return plan({ pod: one, hasNetwork: true, containers: [made, last] });
  };
  t.match(restart('new', 4).actions, [{ type: 'run', crashes: 4 }]);
  t.same(restart('infra', 4).actions, [], 'by itself it waits');
});

t.test('where pods have addresses of their own', async (t) => {
  const one = makePod();
  const hasNetwork = true;
  const made = observed(one, { role: 'infra', container: '', id: 'infra', specHash: '', makesNetwork: true });
  const main = observed(one, { infra: 'infra', ip: '' });
  const older = observed(one, { infra: '', ip: '172.17.0.2' });
  const connected = new Set(['infra']);
  const onHost = makePod({ hostNetwork: true });
  const rows: [string, Partial<PodInput>, string[]][] = [
    ['each has an infra container', { pod: one }, ['run-infra']],
    ['which is joined to the network first', { pod: one, containers: [made] }, ['connect infra']],
    ['and then has its containers', { pod: one, containers: [made], connected }, ['run main 0']],
    [
      'an agent that begins anew looks whether it is joined',
      { pod: one, containers: [made, main] },
      ['connect infra'],
    ],
    ['nothing is left to do', { pod: one, containers: [made, main], connected }, []],
    ['but for pods on the network of the device', { pod: onHost }, ['run main 0']],
    ['what an older agent has started without goes on', { pod: one, containers: [older] }, []],
    [
      'until it ends',
      { pod: one, containers: [{ ...older, state: 'exited', ip: '', exitedAtMs: 0 }] },
      ['run-infra'],
    ],
  ];
  for (const [what, input, expected] of rows) t.same(steps({ hasNetwork, ...input }), expected, what);
});

t.test('how a pod ends', async (t) => {
  const rows: [string, Partial<PodInput>, string[]][] = [
    ['its own containers first', { containers: everything }, ['terminate a-0 30000', 'terminate b-0 30000']],
    [
      'then the last sidecar, in the time that is left',
      { containers: [infra(), runs('side'), runs('last')], stopByMs: 25_000, nowMs: 5_000 },
      ['terminate last-0 20000'],
    ],
    [
      'then the one before it',
      { containers: [infra(), runs('side')], stopByMs: 25_000, nowMs: 24_000 },
      ['terminate side-0 2000'],
    ],
    [
      'all of them when the time is over: who never was asked gets two seconds',
      {
        containers: everything,
        killAtMs: new Map([
          ['a-0', 30_000],
          ['b-0', 30_000],
        ]),
        stopByMs: 30_000,
        nowMs: 30_000,
      },
      ['kill a-0', 'kill b-0', 'terminate side-0 2000', 'terminate last-0 2000'],
    ],
  ];
  for (const [what, input, expected] of rows) {
    const ending = makePod({ ...pod.spec, activeDeadlineSeconds: 1 });
    t.same(steps({ ...input, pod: ending, startedAtMs: -2_000 }), expected, `over its deadline: ${what}`);
    const asDeleted = expected.map((each) => each.replace('kill', 'remove'));
    const removed = steps({ ...input, pod: deleted }).filter((each) => each !== 'remove first-0');
    t.same(removed, asDeleted, `deleted: ${what}`);
  }
  const noGrace = makePod({ ...pod.spec, terminationGracePeriodSeconds: 0 }, deleted.metadata);
  const working = everything.filter(({ role }) => role === 'container');
  t.same(
    new Set(steps({ pod: noGrace, containers: everything })),
    new Set(working.map(({ id }) => `remove ${id}`)),
    'who has no time is removed at once',
  );
});

t.test('a pod that has done its work', async (t) => {
  const job = never(makePod({ initContainers: [container('side', sidecar)], containers: [container('a')] }));
  const works = observed(job, { container: 'side', id: 'side-0' });
  const is = (...containers: ObservedContainer[]) => ({ pod: job, containers: [infra(), ...containers] });
  const a = ended(job, { container: 'a', exitCode: 0 });
  t.same(steps(is(works, a)), ['terminate side-0 30000'], 'ends its sidecars');
  t.same(steps(is(ended(job, { container: 'side' }), a)), [], 'keeps its network until that is told');
  t.same(steps({ ...is(ended(job, { container: 'side' }), a), finished: true }), ['kill infra']);
  t.same(steps({ ...is(works, a), finished: true }), ['terminate side-0 30000'], 'whatever was told');
});

t.test('the deadline of a pod', async (t) => {
  const short = makePod({ activeDeadlineSeconds: 60 });
  const input = { pod: short, containers: [observed(short)], startedAtMs: 5_000 };
  t.same(plan(input), { actions: [], wakeAtMs: 65_000 }, 'is waited for');
  t.same(steps({ ...input, nowMs: 65_000 }), ['terminate main-0 30000']);
});

t.test('a pod that must end for want of something', async (t) => {
  const pod = makePod();
  const runs = { pod, containers: [infra(), observed(pod)] };
  const verdict = { reason: 'Evicted', message: 'no room', graceSeconds: 1 };
  const over = { pod, containers: [infra(), ended(pod)], finished: true };
  t.same(steps({ ...runs, verdict }), ['terminate main-0 1000'], 'does not get its time');
  t.same(steps({ ...runs, verdict: { reason: 'UnexpectedAdmissionError', message: 'x' } }), [
    'terminate main-0 30000',
  ]);
  t.same(steps({ ...over, verdict }), ['kill infra'], 'keeps its logs');
  const freeing = { ...verdict, freesDisk: true } as const;
  t.same(steps({ ...runs, verdict: freeing }), ['terminate main-0 1000']);
  t.same(steps({ ...over, finished: false, verdict: freeing }), [], 'until that is remembered');
  t.same(steps({ ...over, verdict: freeing }), ['remove infra', 'remove main-0']);
  t.same(steps({ pod, finished: true, verdict: freeing }), ['discard']);
  t.same(steps({ pod, finished: true, verdict: freeing, discarded: true }), []);
  t.same(steps({ pod, verdict }), [], 'never begins');
  t.same(steps({ pod, waitsFor: 'a device' }), [], 'nor one that waits');
});

t.test('a probe may say how long a sick container gets', async (t) => {
  const one = makePod();
  const unhealthy = new Map([['main-0', 5]]);
  t.same(steps({ pod: one, containers: [observed(one)], unhealthy }), ['terminate main-0 5000']);
});
