import t from 'tap';
import { podStatus, type StatusInput } from '../../../agent/pod/status.ts';
import { container, ended, makePod, observed, podInput, UNKNOWN_IMAGE } from '../builders.ts';

const pod = makePod();

function status(input: Partial<StatusInput> = {}) {
  return podStatus({
    ...podInput(undefined),
    pod,
    hostIp: '192.0.2.1',
    startTime: '2026-01-01T00:00:00Z',
    ...input,
  });
}

const only = (input: Partial<StatusInput> = {}) => status(input).containerStatuses?.[0];
const condition = (input: Partial<StatusInput>, wanted: string) =>
  status(input).conditions?.find(({ type }) => type === wanted)?.status;

t.test('phases', async (t) => {
  const never = makePod({ restartPolicy: 'Never' });
  const two = makePod({ restartPolicy: 'Never', containers: [container('a'), container('b')] });
  t.equal(status().phase, 'Pending', 'nothing runs yet');
  t.equal(status({ containers: [observed(pod)] }).phase, 'Running');
  t.equal(status({ containers: [ended(pod, { crashes: 3 })] }).phase, 'Running', 'while it waits to restart');
  t.equal(status({ pod: never, containers: [ended(never, { exitCode: 0 })] }).phase, 'Succeeded');
  t.equal(status({ pod: never, containers: [ended(never, { exitCode: 3 })] }).phase, 'Failed');
  t.equal(
    status({ pod: two, containers: [ended(two, { container: 'a' })] }).phase,
    'Pending',
    'one has not begun',
  );
  t.equal(
    status({ pod: two, containers: [ended(two, { container: 'a' }), observed(two, { container: 'b' })] })
      .phase,
    'Running',
    'one still runs',
  );
});

t.test('a running container', async (t) => {
  t.match(only({ containers: [observed(pod)] }), {
    state: { running: { startedAt: '1970-01-01T00:00:01Z' } },
    ready: true,
    started: true,
    restartCount: 0,
    containerID: 'docker://main-0',
  });
  const health = () => ({ started: true, ready: false });
  t.match(only({ containers: [observed(pod)], health }), { ready: false, started: true });
  t.equal(condition({ containers: [observed(pod)], health }, 'Ready'), 'False');
  t.equal(condition({ containers: [observed(pod)] }, 'Ready'), 'True');
});

t.test('a pod that is refused has no containers that wait', async (t) => {
  const verdict = { reason: 'OutOfcpu', message: "Node didn't have enough resource: cpu" };
  const initial = makePod({ initContainers: [container('first')] });
  const refused = status({ pod: initial, verdict });
  t.match(refused, { phase: 'Failed', ...verdict });
  t.equal(refused.containerStatuses, undefined);
  t.equal(refused.initContainerStatuses, undefined);
  t.ok(status({ verdict, containers: [ended(pod)] }).containerStatuses, 'what has run is told of');
});

t.test('a command that cannot run', async (t) => {
  const unstartable = { exitCode: 128, error: 'exec: "/no"', isUnstartable: true } as const;
  const never = makePod({ restartPolicy: 'Never' });
  const over = { pod: never, containers: [ended(never, unstartable)] };
  t.equal(status(over).phase, 'Failed', 'a Job counts it');
  const terminated = { exitCode: 128, reason: 'StartError', message: 'exec: "/no"' };
  t.match(only(over)?.state, { terminated });
  const failure = { count: 1, atMs: 0, reason: 'RunContainerError', message: 'exec: "/no"' };
  const tried = { containers: [ended(pod, { ...unstartable, crashes: 1 })], nowMs: 5 };
  t.match(only({ ...tried, failures: new Map([['main', failure]]) }), {
    state: { waiting: { reason: 'CrashLoopBackOff' } },
    lastState: { terminated },
  });
  const other = { ...failure, reason: 'CreateContainerConfigError' };
  t.match(only({ ...tried, failures: new Map([['main', other]]) }), {
    state: { waiting: { reason: 'CreateContainerConfigError' } },
  });
});

t.test('a container that restarts', async (t) => {
  t.match(only({ containers: [ended(pod, { crashes: 1, exitCode: 7 })], nowMs: 5 }), {
    state: {
      waiting: {
        reason: 'CrashLoopBackOff',
        message: /back-off 10s restarting failed container=main pod=web_default/,
      },
    },
    lastState: { terminated: { exitCode: 7, reason: 'Error' } },
    ready: false,
  });
  t.match(only({ containers: [ended(pod, { attempt: 0 }), observed(pod, { attempt: 1 })] }), {
    restartCount: 1,
    state: { running: {} },
    lastState: { terminated: { exitCode: 1 } },
  });
  t.match(only({ containers: [ended(pod, { oomKilled: true, exitCode: 137, crashes: 1 })], nowMs: 1 }), {
    lastState: { terminated: { reason: 'OOMKilled', exitCode: 137 } },
  });
});

t.test('why a container waits', async (t) => {
  const failure = {
    count: 1,
    atMs: 0,
    reason: 'CreateContainerConfigError',
    message: 'configmap "c" not found',
  };
  const pull = { count: 1, atMs: 0, reason: 'ErrImagePull', message: 'no such host' };
  const waiting = (input: Partial<StatusInput>) => only(input)?.state?.waiting;
  t.same(waiting({}), { reason: 'ContainerCreating' });
  t.same(waiting({ failures: new Map([['main', failure]]) }), {
    reason: failure.reason,
    message: failure.message,
  });
  t.same(
    waiting({ failures: new Map([['', failure]]) }),
    { reason: failure.reason, message: failure.message },
    'for the whole pod',
  );
  const image = () => ({ ...UNKNOWN_IMAGE, absent: true, failure: pull });
  t.match(waiting({ image }), { reason: 'ErrImagePull', message: 'no such host' }, 'just failed');
  t.match(waiting({ image, nowMs: 1_000 }), {
    reason: 'ImagePullBackOff',
    message: /Back-off pulling image "web:1"/,
  });
});

t.test('addresses', async (t) => {
  t.match(status({ containers: [observed(pod)] }), {
    podIP: '172.17.0.2',
    podIPs: [{ ip: '172.17.0.2' }],
    hostIP: '192.0.2.1',
  });
  t.equal(status().podIP, undefined);
  const host = makePod({ hostNetwork: true });
  t.equal(status({ pod: host, containers: [observed(host, { ip: '' })] }).podIP, '192.0.2.1');
});

t.test('a pod that is being deleted is not ready, and its end is shown as it was', async (t) => {
  const deleted = makePod({}, { deletionTimestamp: '2026-01-01T00:00:00Z' });
  t.equal(condition({ pod: deleted, containers: [observed(deleted)] }, 'Ready'), 'False');
  t.match(only({ pod: deleted, containers: [ended(deleted, { exitCode: 143 })] })?.state, {
    terminated: { exitCode: 143 },
  });
});

t.test('quality of service', async (t) => {
  const qos = (resources: object) =>
    status({ pod: makePod({ containers: [container('main', { resources })] }) }).qosClass;
  t.equal(qos({}), 'BestEffort');
  t.equal(qos({ requests: { cpu: '1' } }), 'Burstable');
  t.equal(qos({ limits: { cpu: '1', memory: '1Gi' } }), 'Guaranteed');
});

t.test('containers that look into a pod', async (t) => {
  const seen = makePod({ ephemeralContainers: [{ name: 'look', image: 'tool:1' }] });
  const made = (rest = {}) => observed(seen, { container: 'look', id: 'look', ...rest });
  const look = (input: Partial<StatusInput>) =>
    status({ pod: seen, ...input }).ephemeralContainerStatuses?.[0];
  t.equal(status().ephemeralContainerStatuses, undefined, 'there are none');
  t.match(look({ containers: [observed(seen)] }), {
    name: 'look',
    ready: false,
    restartCount: 0,
    state: { waiting: { reason: 'ContainerCreating' } },
  });
  t.match(look({ containers: [made()] })?.state, { running: {} });
  t.match(look({ containers: [made({ state: 'exited', exitCode: 3 })] })?.state, {
    terminated: { exitCode: 3, reason: 'Error' },
  });
  const failure = { count: 1, atMs: 0, reason: 'RunContainerError', message: 'no such command' };
  t.match(look({ containers: [made({ state: 'created' })], failures: new Map([['look', failure]]) })?.state, {
    terminated: { exitCode: 128, reason: 'StartError', message: 'no such command' },
  });
  t.match(
    look({ lastAttempt: new Map([['look', 0]]) })?.state,
    { terminated: { exitCode: 137, reason: 'ContainerStatusUnknown' } },
    'somebody removed it',
  );
  const containers = [observed(seen), made({ state: 'exited' })];
  t.match(status({ pod: seen, containers }), { phase: 'Running' });
  t.equal(condition({ pod: seen, containers }, 'Ready'), 'True', 'it has no part in that');
});
