import type { Volume } from 'kubernetes-types/core/v1.d.ts';
import t from 'tap';
import type { Failure, ImageState, PodInput } from '../../../agent/pod/observation.ts';
import { planPod } from '../../../agent/reconcile/plan.ts';
import type { Action } from '../../../agent/reconcile/plan-step.ts';
import { encodePodUpdate, POD_UPDATE_ANNOTATION } from '../../../proto/pod-update.ts';
import { container, ended, makePod, observed, podInput, UNKNOWN_IMAGE as unknown } from '../builders.ts';

const pod = makePod();
const deleted = makePod({}, { deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 30 });
const two = makePod({ containers: [container('a'), container('b')] });
const infra = (rest = {}) =>
  observed(two, { role: 'infra', container: '', id: 'infra', specHash: '', ...rest });
const failure = (rest: Partial<Failure> = {}): Failure => ({
  count: 1,
  atMs: 0,
  reason: 'R',
  message: 'm',
  ...rest,
});

function plan(input: Partial<PodInput> = {}) {
  return planPod(podInput(pod, input));
}

function describe(action: Action): string {
  switch (action.type) {
    case 'run':
      return `run ${action.container} ${action.attempt} after ${action.crashes}`;
    case 'run-infra':
      return `run-infra ${action.attempt}`;
    case 'pull':
    case 'check-image':
    case 'remove-image':
      return `${action.type} ${action.image}`;
    case 'terminate':
      return `terminate ${action.id} ${action.graceMs}`;
    case 'prepare':
    case 'discard':
    case 'clean-up':
      return action.type;
    default:
      return `${action.type} ${action.id}`;
  }
}

const steps = (input: Partial<PodInput> = {}) => plan(input).actions.map(describe);

t.test('what is downloaded ahead of time asks for room on the disk, and is tried again', async (t) => {
  const update = {
    order: 'download-then-stop',
    minHealthySeconds: 1,
    maxRestarts: 0,
    deadlineSeconds: 9,
  } as const;
  const said = encodePodUpdate({ ...update, step: 'stage', rollback: true, minFreeDisk: '5%' });
  const next = makePod({}, { annotations: { [POD_UPDATE_ANNOTATION]: said } });
  const absent = { ...unknown, absent: true };
  const pull = { type: 'pull', image: 'web:1' };
  t.same(plan({ pod: next, turn: 'hold', image: () => absent }).actions, [{ ...pull, minFreeDisk: '5%' }]);
  t.same(plan({ pod: next, image: () => absent }).actions, [pull], 'what is needed now is not held up');
  t.same(plan({ turn: 'hold', image: () => absent }).actions, [pull], 'nor where nobody asks for room');
  const always = makePod(
    { containers: [container('main', { imagePullPolicy: 'Always' })] },
    { annotations: { [POD_UPDATE_ANNOTATION]: said } },
  );
  for (const [what, pod, state] of [
    ['absent', next, absent],
    ['always asked for', always, { ...unknown, present: true }],
  ] as const) {
    const image = () => ({ ...state, failure: failure({ reason: 'InsufficientDisk', count: 2 }) });
    t.same(plan({ pod, turn: 'hold', image, nowMs: 19_999 }), { actions: [], wakeAtMs: 20_000 }, what);
    t.match(plan({ pod, turn: 'hold', image, nowMs: 20_000 }).actions, [pull], what);
  }
});

t.test('images of the pod before stay for as long as it may come back', async (t) => {
  const others = new Set(['web:1']);
  t.same(steps({ turn: 'yield' }), [], 'who made room for another keeps them');
  t.same(steps({ turn: 'clear', keptImages: others }), [], 'who clears the disk leaves what others need');
  t.same(steps({ turn: 'clear' }), ['remove-image web:1']);
});

t.test('a pod that is wanted', async (t) => {
  t.same(steps({ prepared: false }), ['prepare'], 'gets its files first');
  t.same(steps(), ['run main 0 after 0'], 'is run');
  t.same(
    steps({ containers: [observed(pod, { state: 'created' })] }),
    ['start main-0'],
    'is started when it was made only',
  );
  t.same(
    plan({ containers: [observed(pod)] }),
    { actions: [], wakeAtMs: Infinity },
    'is left alone when it runs',
  );
  t.same(
    steps({ lastAttempt: new Map([['main', 3]]) }),
    ['run main 4 after 0'],
    'goes on counting when its container was removed by somebody else',
  );
  t.same(steps({ finished: true }), [], 'is not run again when it had finished and its container is gone');
});

t.test('a container whose spec is another now', async (t) => {
  const old = { specHash: 'old' };
  t.same(steps({ containers: [observed(pod, old)] }), ['terminate main-0 30000'], 'is ended');
  t.same(steps({ containers: [ended(pod, old)] }), ['run main 1 after 0'], 'and then run anew, at once');
  t.same(
    steps({ containers: [observed(pod, { ...old, state: 'created' })] }),
    ['remove main-0'],
    'is removed if it never ran',
  );
});

t.test('a container that ended', async (t) => {
  const at = (crashes: number, nowMs: number, rest = {}) =>
    plan({ containers: [ended(pod, { crashes, ...rest })], nowMs });
  t.same(at(0, 0).actions.map(describe), ['run main 1 after 1'], 'runs again at once the first time');
  for (const [crashes, delayMs] of [
    [1, 10_000],
    [2, 20_000],
    [3, 40_000],
    [5, 160_000],
    [6, 300_000],
    [60, 300_000],
  ] as const) {
    t.same(
      at(crashes, delayMs - 1),
      { actions: [], wakeAtMs: delayMs },
      `after ${crashes} crashes waits ${delayMs} ms`,
    );
    t.same(at(crashes, delayMs).actions.map(describe), [`run main 1 after ${crashes + 1}`], 'and no longer');
  }
  t.same(
    at(7, 0, { ranMs: 600_000 }).actions.map(describe),
    ['run main 1 after 1'],
    'is forgiven after ten minutes',
  );
});

t.test('the restart policy', async (t) => {
  const end = (restartPolicy: string, exitCode: number) => {
    const spec = makePod({ restartPolicy });
    return steps({ pod: spec, containers: [ended(spec, { exitCode })] });
  };
  t.same(end('Always', 0), ['run main 1 after 1']);
  t.same(end('OnFailure', 0), []);
  t.same(end('OnFailure', 1), ['run main 1 after 1']);
  t.same(end('Never', 1), []);
});

t.test('an unhealthy container', async (t) => {
  const containers = [observed(pod)];
  const unhealthy = new Map([['main-0', undefined]]);
  t.same(steps({ containers, unhealthy }), ['terminate main-0 30000'], 'is asked to end');
  const killAtMs = new Map([['main-0', 30_000]]);
  t.same(plan({ containers, unhealthy, killAtMs }), { actions: [], wakeAtMs: 30_000 }, 'and gets its time');
  t.same(
    steps({ containers, unhealthy, killAtMs, nowMs: 30_000 }),
    ['kill main-0'],
    'and is killed after it',
  );
});

t.test('a pod that is deleted, or wanted no more', async (t) => {
  const containers = [observed(deleted)];
  t.same(steps({ pod: deleted, containers }), ['terminate main-0 30000'], 'is asked to end');
  t.same(
    steps({ pod: undefined, containers: [observed(pod, { graceSeconds: 7 })] }),
    ['terminate main-0 7000'],
    'with the time its label says',
  );
  t.same(
    steps({ pod: deleted, containers, killAtMs: new Map([['main-0', 5]]), nowMs: 5 }),
    ['remove main-0'],
    'is removed by force when its time is over',
  );
  t.same(
    steps({ pod: deleted, containers: [ended(deleted)] }),
    ['remove main-0'],
    'is removed when it ended',
  );
  t.same(steps({ pod: deleted }), ['clean-up'], 'leaves nothing');
  const shortened = makePod({}, { deletionTimestamp: 'now', deletionGracePeriodSeconds: 0 });
  t.same(
    steps({ pod: shortened, containers, killAtMs: new Map([['main-0', 30_000]]) }),
    ['remove main-0'],
    'a second deletion may shorten its time',
  );
  t.same(
    steps({ pod: undefined, containers: [observed(two, { container: 'a', graceSeconds: 0 }), infra()] }),
    ['remove a-0'],
    'the network goes last',
  );
  t.same(steps({ pod: undefined, containers: [infra()] }), ['remove infra']);
});

t.test('images', async (t) => {
  const policy = (imagePullPolicy: string) =>
    makePod({ containers: [container('main', { imagePullPolicy })] });
  const absent = { ...unknown, absent: true };
  const image = (state: Partial<ImageState>) => () => ({ ...unknown, ...state });
  t.same(
    steps({ pod: policy('IfNotPresent') }),
    ['run main 0 after 0'],
    'IfNotPresent does not pull what may be there',
  );
  t.same(
    steps({ pod: policy('IfNotPresent'), image: () => absent }),
    ['pull web:1'],
    'and pulls what is not',
  );
  t.same(steps({ image: image({ absent: true, pulling: true }) }), [], 'never pulls twice at once');
  t.same(
    plan({ image: image({ absent: true, failure: failure() }), nowMs: 5 }),
    { actions: [], wakeAtMs: 10_000 },
    'backs off after a failed pull',
  );
  t.same(
    steps({ image: image({ absent: true, failure: failure({ count: 2 }) }), nowMs: 20_000 }),
    ['pull web:1'],
    'and tries again',
  );
  t.same(
    steps({ pod: policy('Never'), image: () => absent }),
    ['run main 0 after 0'],
    'Never tries with what is there',
  );
  t.same(steps({ pod: policy('Always'), firstSeenAtMs: 5 }), ['pull web:1'], 'Always pulls');
  t.same(
    steps({ pod: policy('Always'), firstSeenAtMs: 5, image: image({ triedAtMs: 6 }) }),
    ['run main 0 after 0'],
    'once',
  );
  t.same(
    steps({ pod: policy('Always'), firstSeenAtMs: 5, image: image({ triedAtMs: 6, failure: failure() }) }),
    ['run main 0 after 0'],
    'and uses what is there when the pull failed',
  );
  const refused = image({ failure: failure({ reason: 'ImagePullDenied' }) });
  t.same(
    plan({ pod: policy('Always'), firstSeenAtMs: 5, image: refused, nowMs: 6 }),
    { actions: [], wakeAtMs: 10_000 },
    'but not when the registry refuses it',
  );
  t.same(
    steps({ pod: policy('Always'), containers: [ended(policy('Always'))] }),
    ['run main 1 after 1'],
    'and does not pull to restart',
  );
});

t.test('what failed', async (t) => {
  const failures = new Map([['main', failure({ count: 2, atMs: 100 })]]);
  t.same(plan({ failures, nowMs: 101 }), { actions: [], wakeAtMs: 20_100 }, 'waits for its back-off');
  t.same(steps({ failures, nowMs: 20_100 }), ['run main 0 after 0'], 'and is tried again');
  t.same(
    steps({ failures, nowMs: 20_100, containers: [observed(pod, { state: 'created' })] }),
    ['remove main-0'],
    'with a new container',
  );
  t.same(
    steps({ pod: two, containers: [infra()], failures: new Map([['a', failure({ atMs: 1 })]]), nowMs: 2 }),
    ['run b 0 after 0'],
    'does not hold up the other containers of the pod',
  );
  t.same(plan({ prepared: false, failures: new Map([['', failure()]]), nowMs: 1 }).wakeAtMs, 10_000);
});

t.test('a pod of several containers', async (t) => {
  t.same(steps({ pod: two }), ['run-infra 0'], 'has a network first');
  t.same(
    steps({ pod: two, containers: [infra()] }),
    ['run a 0 after 0', 'run b 0 after 0'],
    'then all of them',
  );
  const both = [observed(two, { container: 'a' }), observed(two, { container: 'b' })];
  t.same(steps({ pod: two, containers: [infra(), ...both] }), []);
  t.same(
    steps({ pod: two, containers: [infra({ state: 'exited' }), ...both] }),
    ['terminate a-0 30000', 'terminate b-0 30000'],
    'starts over when its network is lost',
  );
  t.same(steps({ pod: two, containers: [infra({ state: 'exited' })] }), ['remove infra']);
  const made = { pod: two, containers: [infra({ state: 'created' })] };
  t.same(steps(made), ['start infra']);
  const failures = new Map([['', failure({ atMs: 0 })]]);
  t.same(steps({ ...made, failures, nowMs: 1 }), [], 'one that can not be started');
  t.same(steps({ ...made, failures, nowMs: 11_000 }), ['remove infra'], 'is made anew');
  t.same(
    steps({ pod: two, containers: [observed(two, { container: 'a', state: 'created' })] }),
    ['remove a-0'],
    'removes what was made for a network that is gone',
  );
});

t.test('earlier attempts are removed, but for the last, whose logs may be asked for', async (t) => {
  const containers = [3, 1, 2].map((attempt) =>
    attempt === 3 ? observed(pod, { attempt }) : ended(pod, { attempt }),
  );
  t.same(steps({ containers }), ['remove main-1']);
});

t.test('a container that the spec does not name any more is removed', async (t) => {
  t.same(steps({ containers: [observed(pod), observed(pod, { container: 'old', id: 'old' })] }), [
    'remove old',
  ]);
});

t.test('a pod that waits for its turn only downloads', async (t) => {
  const there: ImageState = { ...unknown, present: true };
  const absent: ImageState = { ...unknown, absent: true };
  t.same(steps({ turn: 'hold' }), ['check-image web:1'], 'asks whether the image is there');
  t.same(steps({ turn: 'hold', image: () => there }), []);
  t.same(steps({ turn: 'hold', image: () => absent }), ['pull web:1']);
  t.same(steps({ turn: 'hold', image: () => ({ ...absent, pulling: true }) }), []);
  const failed = { ...absent, failure: failure({ atMs: 5_000 }) };
  t.same(steps({ turn: 'hold', image: () => failed, nowMs: 6_000 }), [], 'a failed pull has its back-off');
  t.same(steps({ turn: 'hold', image: () => failed, nowMs: 15_000 }), ['pull web:1']);
  const never = makePod({ containers: [container('main', { imagePullPolicy: 'Never' })] });
  t.same(steps({ pod: never, turn: 'hold', image: () => absent }), [], 'what may not be pulled is not');
});

t.test('volumes of images are made when these are there', async (t) => {
  const there: ImageState = { ...unknown, present: true };
  const absent: ImageState = { ...unknown, absent: true };
  const volumes = [
    { name: 'v', image: { reference: 'files:1', pullPolicy: 'IfNotPresent' } },
  ] as unknown as Volume[];
  const withVolume = makePod({ volumes });
  const next = (image: ImageState, rest: Partial<PodInput> = {}) =>
    steps({
      pod: withVolume,
      prepared: false,
      image: (name) => (name === 'files:1' ? image : there),
      ...rest,
    });
  t.same(next(unknown), ['check-image files:1']);
  t.same(next(absent), ['pull files:1']);
  t.same(next({ ...absent, pulling: true }), []);
  t.same(next(there), ['prepare']);
  t.same(
    next({ ...absent, failure: failure({ atMs: 5_000 }) }, { nowMs: 6_000 }),
    [],
    'a failed pull has its back-off',
  );
  const [volume] = volumes as unknown as { image: object }[];
  const never = makePod({
    volumes: [{ ...volume, image: { reference: 'files:1', pullPolicy: 'Never' } }] as unknown as Volume[],
  });
  t.same(next(absent, { pod: never }), ['prepare'], 'which says that it is not there');
  t.same(steps({ turn: 'hold', pod: withVolume, image: () => absent }), ['pull web:1', 'pull files:1']);
});

t.test('a pod that makes room ends its containers and keeps them', async (t) => {
  t.same(steps({ turn: 'yield', containers: [observed(pod)] }), ['terminate main-0 30000']);
  const killAtMs = new Map([['main-0', 30_000]]);
  t.same(steps({ turn: 'yield', containers: [observed(pod)], killAtMs, nowMs: 30_000 }), ['kill main-0']);
  t.same(steps({ turn: 'yield', containers: [ended(pod)], nowMs: 99_000 }), [], 'it is not restarted');
  t.same(
    steps({ turn: 'run', containers: [ended(pod)], nowMs: 99_000 }),
    ['run main 1 after 1'],
    'until it may run',
  );
  const stopped = [infra(), ended(two, { container: 'a' }), ended(two, { container: 'b' })];
  t.same(steps({ pod: two, turn: 'yield', containers: stopped }), ['remove infra'], 'its ports are free');
});

t.test('a pod that clears the disk leaves nothing that others do not need', async (t) => {
  t.same(steps({ turn: 'clear', containers: [ended(pod)] }), ['remove main-0']);
  t.same(steps({ turn: 'clear' }), ['remove-image web:1']);
  t.same(steps({ turn: 'clear', image: () => ({ ...unknown, absent: true }) }), []);
  t.same(steps({ turn: 'clear', keptImages: new Set(['web:1']) }), []);
});

t.test('a container that looks into a running pod', async (t) => {
  const look = { name: 'look', image: 'tool:1' };
  const seen = makePod({ ephemeralContainers: [look] });
  const main = observed(seen);
  const made = (rest = {}) => observed(seen, { container: 'look', id: 'look', ...rest });
  const looked = (input: Partial<PodInput>) => steps({ pod: seen, ...input });
  t.same(looked({ containers: [main] }), ['run look 0 after 0'], 'is run');
  t.same(
    looked({ containers: [ended(seen, { crashes: 9 })] }),
    [],
    'waits for the pod: its network is to be shared',
  );
  t.same(
    looked({ containers: [main], image: () => ({ ...unknown, absent: true }) }),
    ['pull tool:1'],
    'gets its image first',
  );
  t.same(looked({ containers: [main, made()] }), [], 'is left alone');
  t.same(looked({ containers: [main, made({ state: 'created' })] }), ['start look'], 'is started');
  t.same(looked({ containers: [main, made({ state: 'exited', exitCode: 1 })] }), [], 'is not restarted');
  t.same(
    looked({ containers: [main, made({ state: 'created' })], failures: new Map([['look', failure()]]) }),
    [],
    'is not started again when that failed',
  );
  t.same(
    looked({ containers: [main], lastAttempt: new Map([['look', 0]]) }),
    [],
    'is not started again when somebody removed it',
  );
  const targeted = makePod({
    containers: [container('a'), container('b')],
    ephemeralContainers: [{ ...look, targetContainerName: 'b' }],
  });
  const [a, b] = [observed(targeted, { container: 'a' }), observed(targeted, { container: 'b' })];
  const crashed = ended(targeted, { container: 'b', crashes: 9 });
  t.same(steps({ pod: targeted, containers: [infra(), a, crashed] }), [], 'waits for its target');
  t.same(steps({ pod: targeted, containers: [infra(), a, b] }), ['run look 0 after 0']);
  const once = makePod({ restartPolicy: 'Never', ephemeralContainers: [look] });
  t.same(
    steps({ pod: once, containers: [ended(once, { exitCode: 0 }), made()] }),
    ['terminate look 30000'],
    'ends with what it looks into',
  );
  t.same(steps({ pod: undefined, containers: [main, made()] }), [
    'terminate main-0 30000',
    'terminate look 30000',
  ]);
});
