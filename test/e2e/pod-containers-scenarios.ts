import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type handleUnaryCall, Server, ServerCredentials } from '@grpc/grpc-js';
import type { Container, PodSpec } from 'kubernetes-types/core/v1.d.ts';
import type { Test } from 'tap';
import type { Engine } from '../support/engine.ts';
import { HEALTH } from '../support/grpc-health.ts';
import { makeAppImages } from '../support/images.ts';
import { listOf, podOf, SeenPods, shell } from '../support/pods.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/*
 * The containers of a pod beside its own: init containers, sidecars; hooks, messages about an end, the pod's deadline.
 * https://kubernetes.io/docs/concepts/workloads/pods/init-containers/ and the pages beside it
 */

const say = (what: string) => `echo ${what} >> /log/said`;
/** Says when it begins and when it is asked to end. */
const talk = (name: string, atEnd = '') =>
  shell(
    `trap "${say(`${name}-ends`)}; ${atEnd} exit 0" TERM; ${say(`${name}-begins`)}; while true; do sleep 1000 & wait $!; done`,
  );

const ALWAYS = { restartPolicy: 'Always' } as const;

export async function podContainers(t: Test, engine: Engine): Promise<void> {
  const stand = new Stand(engine, 'mqtt', 'device-containers');
  const pods = new SeenPods(stand);
  const root = join(stand.dir, 'host');
  /** Each pod has a directory of the host, in which its containers write down what they do. */
  const said = (pod: string) => {
    try {
      return readFileSync(join(root, pod, 'said'), 'utf8')
        .trim()
        .split('\n');
    } catch {
      return [];
    }
  };
  function logged(
    name: string,
    containers: Readonly<Record<string, Partial<Container>>>,
    inits: Readonly<Record<string, Partial<Container>>> = {},
    spec: Partial<PodSpec> = {},
  ) {
    mkdirSync(join(root, name), { recursive: true });
    const volumeMounts = [{ name: 'log', mountPath: '/log' }];
    const withLog = (all: Readonly<Record<string, Partial<Container>>>) =>
      Object.fromEntries(Object.entries(all).map(([key, each]) => [key, { volumeMounts, ...each }]));
    const initContainers = podOf('', withLog(inits)).spec.containers as Container[];
    return podOf(name, withLog(containers), {
      ...(initContainers.length > 0 && { initContainers }),
      volumes: [{ name: 'log', hostPath: { path: join(root, name) } }],
      ...spec,
    });
  }
  const initOf = async (pod: string, name: string) =>
    (await pods.get(pod)).status?.initContainerStatuses?.find((each) => each.name === name);
  const conditionOf = async (pod: string, type: string) =>
    (await pods.get(pod)).status?.conditions?.find((each) => each.type === type);
  t.teardown(() => stand.close());
  await makeAppImages(engine, [1]);
  mkdirSync(root);
  await stand.start();
  const health = new Server();
  const serving = { '': 1, sick: 2 };
  health.addService(HEALTH, {
    Check: (({ request }, reply) =>
      reply(null, serving[request.service as keyof typeof serving])) satisfies handleUnaryCall<
      { service: string },
      number
    >,
  });
  const grpcPort = await new Promise<number>((resolve, reject) =>
    health.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    ),
  );
  t.teardown(() => health.forceShutdown());
  const asked = (name: string, service?: string) =>
    podOf(
      name,
      {
        main: { readinessProbe: { grpc: { port: grpcPort, ...(service && { service }) }, periodSeconds: 1 } },
      },
      { hostNetwork: true },
    );

  await stand.apply(
    listOf(
      logged(
        'ordered',
        { main: { command: talk('main') } },
        {
          first: { command: shell(`${say('first')}; test -f /log/again || { touch /log/again; exit 7; }`) },
          second: { command: shell(say('second')) },
        },
      ),
      logged(
        'stuck',
        { main: {} },
        { waits: { command: shell('while ! test -f /log/go; do sleep 0.2; done') } },
      ),
      logged('fails', { main: {} }, { bad: { command: shell('exit 4') } }, { restartPolicy: 'Never' }),
      logged(
        'sidecars',
        { main: { command: talk('main') } },
        {
          one: { command: talk('one'), ...ALWAYS },
          check: { command: shell('busybox grep -q one-begins /log/said && echo check >> /log/said') },
          two: {
            command: shell(
              `trap "${say('two-ends')}; exit 0" TERM; ${say('two-begins')}; while ! test -f /log/two; do sleep 0.1; done; touch /tmp/up; while true; do sleep 1000 & wait $!; done`,
            ),
            startupProbe: {
              exec: { command: ['test', '-f', '/tmp/up'] },
              periodSeconds: 1,
              failureThreshold: 100,
            },
            ...ALWAYS,
          },
        },
        { terminationGracePeriodSeconds: 20 },
      ),
      logged(
        'job',
        { main: { command: shell('while ! test -f /log/go; do sleep 0.2; done; exit 0') } },
        { helper: { command: talk('helper'), ...ALWAYS } },
        { restartPolicy: 'Never' },
      ),
      logged(
        'hooks',
        {
          early: {
            command: talk('early'),
            lifecycle: {
              postStart: {
                exec: { command: shell(`while ! test -f /log/go; do sleep 0.1; done; ${say('hooked')}`) },
              },
              preStop: { exec: { command: shell(say('before-end')) } },
            },
          },
          late: { command: talk('late') },
        },
        {},
        { terminationGracePeriodSeconds: 20 },
      ),
      logged('bad-hook', {
        main: {
          lifecycle: {
            postStart: { exec: { command: shell('test -f /log/well || { touch /log/well; exit 3; }') } },
          },
        },
      }),
      logged(
        'long-hook',
        {
          main: {
            command: talk('main'),
            lifecycle: { preStop: { exec: { command: shell(`${say('begun')}; sleep 1000`) } } },
          },
        },
        {},
        { terminationGracePeriodSeconds: 2 },
      ),
      logged(
        'sleeps',
        { main: { command: talk('main'), lifecycle: { preStop: { sleep: { seconds: 2 } } as object } } },
        {},
        { terminationGracePeriodSeconds: 20 },
      ),
      podOf(
        'messages',
        {
          file: { command: shell('echo -n why > /dev/termination-log; exit 1') },
          path: { command: shell('echo -n there > /tmp/end; exit 0'), terminationMessagePath: '/tmp/end' },
          log: {
            command: shell('echo first; echo last; exit 2'),
            terminationMessagePolicy: 'FallbackToLogsOnError',
          },
          fine: { command: shell('echo all is well'), terminationMessagePolicy: 'FallbackToLogsOnError' },
          long: { command: shell('seq 1 9999 > /dev/termination-log') },
          user: {
            command: shell('echo -n mine > /dev/termination-log'),
            securityContext: { runAsUser: 1234 },
          },
        },
        { restartPolicy: 'Never' },
      ),
      podOf('deadline', { main: {} }, { activeDeadlineSeconds: 10 }),
      asked('grpc-well'),
      asked('grpc-sick', 'sick'),
    ),
  );

  await t.test('init containers run one by one until each has succeeded', async (t) => {
    await pods.ready('ordered');
    t.same(said('ordered'), ['first', 'first', 'second', 'main-begins']);
    const first = await initOf('ordered', 'first');
    t.match(first, {
      ready: true,
      restartCount: 1,
      state: { terminated: { exitCode: 0, reason: 'Completed' } },
      lastState: { terminated: { exitCode: 7, reason: 'Error' } },
    });
    t.equal((await conditionOf('ordered', 'Initialized'))?.status, 'True');
    t.match(await stand.kubectl('logs', 'ordered', '-c', 'second'), /^$/, 'their logs can be asked for');
  });

  await t.test('until then the pod is being initialized', async (t) => {
    await until('it waits', async () => (await initOf('stuck', 'waits'))?.state?.running);
    const { status } = await pods.get('stuck');
    t.equal(status?.phase, 'Pending');
    t.match(status?.containerStatuses?.[0]?.state?.waiting, { reason: 'PodInitializing' });
    const conditions = async () =>
      Object.fromEntries(
        ((await pods.get('stuck')).status?.conditions ?? []).map((each) => [each.type, each.status]),
      );
    const whole = { Initialized: 'True', ContainersReady: 'True', Ready: 'True' };
    const begun = { PodScheduled: 'True', PodReadyToStartContainers: 'True' };
    t.same(await conditions(), { ...begun, Initialized: 'False', ContainersReady: 'False', Ready: 'False' });
    t.match(await conditionOf('stuck', 'Initialized'), {
      status: 'False',
      reason: 'ContainersNotInitialized',
      message: 'containers with incomplete status: [waits]',
    });
    t.match(await stand.kubectl('get', 'pod', 'stuck'), /0\/1 +Init:0\/1 +0/);
    await pods.exec('stuck', 'waits', 'touch', '/log/go');
    await pods.ready('stuck');
    t.same(await conditions(), { ...begun, ...whole });
  });

  await t.test('one that fails for good fails the pod', async (t) => {
    const { status } = await pods.phase('fails', 'Failed');
    t.match(status?.initContainerStatuses?.[0]?.state?.terminated, { exitCode: 4, reason: 'Error' });
    t.match(status?.containerStatuses?.[0]?.state?.waiting, { reason: 'PodInitializing' });
    t.match(await stand.kubectl('get', 'pod', 'fails'), /0\/1 +Init:Error +0/);
  });

  await t.test('sidecars begin in their order and go on beside the others', async (t) => {
    await until('the second has begun', () => said('sidecars').includes('two-begins'));
    t.same(said('sidecars'), ['one-begins', 'check', 'two-begins'], 'the pod waits until it has started up');
    t.match(await initOf('sidecars', 'one'), { ready: true, started: true, state: { running: {} } });
    t.match(await initOf('sidecars', 'two'), { ready: false, started: false });
    await pods.exec('sidecars', 'one', 'touch', '/log/two');
    await pods.ready('sidecars');
    t.match(await stand.kubectl('get', 'pod', 'sidecars'), /3\/3 +Running/);
  });

  await t.test('a sidecar that ends is restarted, and nothing else is', async (t) => {
    await engine.docker.getContainer(await pods.id('sidecars', 'one')).kill({ signal: 'SIGKILL' });
    await until('it was', async () => {
      const one = await initOf('sidecars', 'one');
      return one?.restartCount === 1 && one.ready;
    });
    t.equal((await initOf('sidecars', 'check'))?.restartCount, 0);
    t.equal((await pods.container('sidecars'))?.restartCount, 0);
  });

  await t.test('at the end the pod goes first, then its sidecars, the last first', async (t) => {
    await stand.kubectl('delete', 'pod', 'sidecars', '--wait', '--timeout=60s');
    t.same(said('sidecars').slice(-3), ['main-ends', 'two-ends', 'one-ends']);
  });

  await t.test('a pod that has done its work ends its sidecars', async (t) => {
    await pods.when('it works', 'job', ({ state }) => state?.running);
    await pods.exec('job', 'main', 'touch', '/log/go');
    const { status } = await pods.phase('job', 'Succeeded');
    t.same(said('job'), ['helper-begins', 'helper-ends']);
    t.match(status?.initContainerStatuses?.[0]?.state?.terminated, { exitCode: 0 });
    await until('nothing of it runs any more, its network neither', async () =>
      (await engine.containers(stand.node)).every(({ pod }) => pod !== 'job'),
    );
  });

  await t.test(
    'hooks: what comes after a start is waited for, what comes before an end as well',
    async (t) => {
      await until('it has begun', () => said('hooks').includes('early-begins'));
      const early = await pods.container('hooks', 'early');
      t.match(early?.state, { waiting: { reason: 'ContainerCreating' } });
      t.notOk(said('hooks').includes('late-begins'), 'who comes later waits for the hook');
      await pods.exec('hooks', 'early', 'touch', '/log/go');
      await pods.ready('hooks');
      t.same(said('hooks'), ['early-begins', 'hooked', 'late-begins']);
      await stand.kubectl('delete', 'pod', 'hooks', '--wait', '--timeout=60s');
      const after = said('hooks');
      t.ok(
        after.indexOf('before-end') < after.indexOf('early-ends') && after.includes('late-ends'),
        after.join(),
      );
    },
  );

  await t.test('a hook that fails after the start ends the container', async () => {
    await pods.when('it runs again', 'bad-hook', ({ restartCount, ready }) => restartCount === 1 && ready);
    await until('it is told', async () => (await pods.events('bad-hook')).includes('FailedPostStartHook'));
  });

  await t.test(
    'a hook that takes longer than the pod has is left, and TERM comes all the same',
    async (t) => {
      await pods.ready('long-hook');
      const beganAt = performance.now();
      await stand.kubectl('delete', 'pod', 'long-hook', '--wait', '--timeout=60s');
      t.ok(performance.now() - beganAt >= 1_900);
      t.same(said('long-hook'), ['main-begins', 'begun', 'main-ends']);
    },
  );

  await t.test('to sleep is a hook as well', async (t) => {
    await pods.ready('sleeps');
    const beganAt = performance.now();
    await stand.kubectl('delete', 'pod', 'sleeps', '--wait', '--timeout=60s');
    t.ok(performance.now() - beganAt >= 1_900);
    t.same(said('sleeps'), ['main-begins', 'main-ends']);
  });

  await t.test('what a container says of its end is in its status', async (t) => {
    await pods.phase('messages', 'Failed');
    const messageOf = async (name: string) =>
      (await pods.container('messages', name))?.state?.terminated?.message;
    for (const [name, message] of [
      ['file', 'why'],
      ['path', 'there'],
      ['log', 'first\nlast\n'],
      ['fine', undefined],
      ['user', 'mine'],
    ] as const)
      t.equal(await messageOf(name), message, name);
    const long = await messageOf('long');
    t.equal(long?.length, 2048, 'a pod has 12 KiB for all of its containers');
    t.match(long, /9999\n$/, 'the end counts');
  });

  await t.test('a pod that runs for longer than it may fails', async (t) => {
    const { status } = await pods.phase('deadline', 'Failed');
    t.match(status, {
      reason: 'DeadlineExceeded',
      message: 'Pod was active on the node longer than the specified deadline',
    });
    await until('it has ended', async () => (await pods.container('deadline'))?.state?.terminated);
  });

  await t.test('gRPC probes', async (t) => {
    await pods.ready('grpc-well');
    await until('it is told', async () => (await pods.events('grpc-sick')).includes('Unhealthy'));
    t.notOk(await pods.isReady('grpc-sick'));
    serving.sick = 1;
    await pods.ready('grpc-sick');
  });

  await t.test('a pod is not ready before its gates say so', async (t) => {
    await stand.apply(
      podOf('gated', { main: {} }, { readinessGates: [{ conditionType: 'example.com/open' }] }),
    );
    await until('it runs', async () => (await conditionOf('gated', 'ContainersReady'))?.status === 'True');
    t.match(await conditionOf('gated', 'Ready'), {
      status: 'False',
      reason: 'ReadinessGatesNotReady',
      message: 'corresponding condition of pod readiness gate "example.com/open" does not exist.',
    });
    const gate = (status: string) =>
      stand.kubectl(
        ...['patch', 'pod', 'gated', '--subresource=status', '--type=strategic', '-p'],
        JSON.stringify({ status: { conditions: [{ type: 'example.com/open', status }] } }),
      );
    await gate('True');
    t.equal((await conditionOf('gated', 'Ready'))?.status, 'True');
    await gate('False');
    t.match(await conditionOf('gated', 'Ready'), { status: 'False', message: / is not "True", but False$/ });
    await gate('True');
    await engine.docker.getContainer(await pods.id('gated')).kill({ signal: 'SIGKILL' });
    await pods.when('it runs again', 'gated', ({ restartCount, ready }) => restartCount === 1 && ready);
    t.ok(await pods.isReady('gated'), 'what the device tells leaves the gate as it is');
  });

  await t.test('an agent that begins anew goes on where the pod was', async (t) => {
    await stand.apply(
      logged(
        'resumed',
        { main: { command: talk('main') } },
        { waits: { command: shell(`${say('waits')}; while ! test -f /log/go; do sleep 0.2; done`) } },
      ),
    );
    await until('it waits', async () => (await initOf('resumed', 'waits'))?.state?.running);
    const { startTime } = (await pods.get('resumed')).status ?? {};
    await stand.agent.end('SIGKILL');
    await stand.startAgent();
    await pods.exec('resumed', 'waits', 'touch', '/log/go');
    await pods.ready('resumed');
    t.same(said('resumed'), ['waits', 'main-begins']);
    t.equal((await pods.get('resumed')).status?.startTime, startTime, 'it is there since when it was');
  });

  await t.test('when the network of a pod is lost, its init containers run again', async (t) => {
    const before = said('ordered').length;
    const filters = {
      label: [`holdfast.dev/node=${stand.node}`, 'holdfast.dev/pod.name=ordered', 'holdfast.dev/role=infra'],
    };
    const infra = await engine.docker.listContainers({ filters });
    t.equal(infra.length, 1);
    await engine.remove(infra[0]?.Id ?? '');
    await until(
      'it runs again',
      async () => said('ordered').at(-1) === 'main-begins' && said('ordered').length > before,
    );
    t.same(said('ordered').slice(before), ['main-ends', 'first', 'second', 'main-begins']);
    await pods.ready('ordered');
  });
}
