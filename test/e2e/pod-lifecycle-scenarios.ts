import { existsSync, globSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Container, Probe } from 'kubernetes-types/core/v1.d.ts';
import type { Test } from 'tap';
import type { Engine } from '../support/engine.ts';
import { appImage, makeAppImages, WORK } from '../support/images.ts';
import { listOf, podOf, SeenPods, shell } from '../support/pods.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/*
 * How containers of a pod begin, end and begin again: restart policies, back-off, termination, probes, new images.
 */

/** In each pod's `/ctl`: what the test writes there, its containers see. */
const control = { name: 'ctl', mountPath: '/ctl' };
const emptyDir = { volumes: [{ name: 'ctl', emptyDir: {} }] };

const every = (probe: Probe): Probe => ({
  periodSeconds: 1,
  timeoutSeconds: 5,
  failureThreshold: 1,
  ...probe,
});

/** Each begins well; what makes it sick is done by the test, and heals with a new container. */
const SICKENING = {
  'live-exec': {
    script: `touch /tmp/well; ${WORK}`,
    probe: { exec: { command: ['test', '-f', '/tmp/well'] } },
    sicken: 'rm /tmp/well',
    heal: 'touch /tmp/well',
  },
  'live-hung': {
    script: `touch /tmp/well; ${WORK}`,
    // Once sick it never returns, nor does what it has started.
    probe: { exec: { command: shell('test -f /tmp/well || (sleep 1234; true)') }, timeoutSeconds: 1 },
    sicken: 'rm /tmp/well',
    heal: 'touch /tmp/well',
  },
  'live-http': {
    script: `busybox mkdir -p /tmp/www; touch /tmp/www/well; httpd -p 80 -h /tmp/www; ${WORK}`,
    probe: { httpGet: { path: '/well', port: 'web' } },
    sicken: 'rm /tmp/www/well',
    heal: 'touch /tmp/www/well',
  },
  'live-tcp': {
    script: `httpd -p 80 -h /www; ${WORK}`,
    probe: { tcpSocket: { port: 80 } },
    // Each connection has a process of its own, which may end before it is killed.
    sicken: 'busybox killall httpd || true',
    heal: 'httpd -p 80 -h /www',
  },
};

const probed = (name: string, of: keyof typeof SICKENING, kind: 'livenessProbe' | 'readinessProbe') =>
  podOf(name, {
    main: {
      command: shell(SICKENING[of].script),
      ports: [{ name: 'web', containerPort: 80 }],
      [kind]: every(SICKENING[of].probe),
      // A machine under load may ask before the server listens: only who was well once can fall sick.
      ...(kind === 'livenessProbe' && {
        startupProbe: { ...every(SICKENING[of].probe), failureThreshold: 60 },
      }),
    },
  });

const exits = (name: string, script: string, restartPolicy: string) =>
  podOf(name, { main: { command: shell(script), volumeMounts: [control] } }, { ...emptyDir, restartPolicy });

const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'available', namespace: 'default' },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: 'available' } },
    template: {
      metadata: { labels: { app: 'available' } },
      spec: probed('', 'live-exec', 'readinessProbe').spec,
    },
  },
};

/** Of all processes of the container. Podman does not tell of those that are of commands. */
function commandsIn(containerId: string): string[] {
  return globSync('/proc/[0-9]*').flatMap((dir) => {
    try {
      const groups = readFileSync(join(dir, 'cgroup'), 'utf8');
      return groups.includes(containerId)
        ? readFileSync(join(dir, 'cmdline'), 'utf8').replaceAll('\0', ' ')
        : [];
    } catch {
      return []; // it has ended
    }
  });
}

export async function podLifecycle(t: Test, engine: Engine): Promise<void> {
  const stand = new Stand(engine, 'mqtt', 'device-lifecycle');
  const pods = new SeenPods(stand);
  const root = join(stand.dir, 'host');
  const onHost = { volumes: [{ name: 'ctl', hostPath: { path: root } }] };
  const lasting = (name: string, script: string, graceSeconds: number) =>
    podOf(
      name,
      { main: { command: shell(script), volumeMounts: [control] } },
      { ...onHost, terminationGracePeriodSeconds: graceSeconds },
    );
  const deletion = async (...args: string[]) => {
    const startedAt = performance.now();
    await stand.kubectl('delete', 'pod', ...args, '--timeout=60s');
    return performance.now() - startedAt;
  };
  const attempts = async (name: string) => {
    const found = (await engine.containers(stand.node, { all: true })).filter(({ pod }) => pod === name);
    const known = await Promise.all(found.map(({ id }) => engine.docker.getContainer(id).inspect()));
    return known
      .map(({ Config, State }) => ({
        attempt: Number(Config.Labels['holdfast.dev/attempt']),
        start: Date.parse(State.StartedAt),
        end: Date.parse(State.FinishedAt),
      }))
      .sort((a, b) => a.attempt - b.attempt);
  };

  t.teardown(() => stand.close());
  await makeAppImages(engine, [1, 2]);
  mkdirSync(root);
  await stand.start();
  await stand.apply(
    listOf(
      exits('always', 'test -f /ctl/x && sleep 1000; touch /ctl/x; exit 0', 'Always'),
      exits('on-failure', 'test -f /ctl/x && exit 0; touch /ctl/x; exit 5', 'OnFailure'),
      exits('never', 'exit 0', 'Never'),
      exits('never-fails', 'exit 3', 'Never'),
      podOf(
        'greedy',
        {
          main: {
            command: shell('x=$(dd if=/dev/zero bs=1M count=64 2>/dev/null | busybox tr "\\0" a)'),
            resources: { limits: { memory: '16Mi' } },
          },
        },
        { restartPolicy: 'Never' },
      ),
      podOf('never-begins', { main: { command: ['/no-such-command'] } }, { restartPolicy: 'Never' }),
      podOf(
        'ruled',
        {
          main: {
            command: shell('test -f /ctl/y && exit 4; touch /ctl/y; exit 42'),
            volumeMounts: [control],
            restartPolicy: 'Never',
            restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }],
          } as Partial<Container>,
        },
        emptyDir,
      ),
      podOf('resized', {
        main: {
          resources: { limits: { memory: '32Mi', cpu: '100m' } },
          resizePolicy: [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }],
        },
        kept: {},
      }),
      podOf('half', { done: { command: shell('exit 0') }, main: {} }, { restartPolicy: 'Never' }),
      lasting(
        'polite',
        'trap "touch /ctl/polite; exit 0" TERM; while true; do sleep 1000 & wait $!; done',
        30,
      ),
      lasting('stubborn', 'trap "touch /ctl/stubborn" TERM; while true; do sleep 1000 & wait $!; done', 2),
      lasting('forced', 'trap "" TERM; while true; do sleep 1000 & wait $!; done', 4),
      ...Object.keys(SICKENING).flatMap((name) => [
        probed(name, name as keyof typeof SICKENING, 'livenessProbe'),
        probed(name.replace('live', 'ready'), name as keyof typeof SICKENING, 'readinessProbe'),
      ]),
      podOf('two', { changed: {}, kept: {} }),
      deployment,
    ),
  );

  await t.test('restart policies', async (t) => {
    const once = await pods.when(
      'it runs a second time',
      'always',
      ({ restartCount, state }) => restartCount === 1 && state?.running,
    );
    t.match(once.lastState?.terminated, { exitCode: 0, reason: 'Completed' });
    const recovered = (await pods.phase('on-failure', 'Succeeded')).status?.containerStatuses?.[0];
    t.match(recovered, { restartCount: 1, state: { terminated: { exitCode: 0 } } });
    t.match(recovered?.lastState?.terminated, { exitCode: 5, reason: 'Error' });
    const ended = (await pods.phase('never', 'Succeeded')).status;
    t.match(ended?.containerStatuses?.[0], {
      restartCount: 0,
      state: { terminated: { exitCode: 0, reason: 'Completed' } },
    });
    t.match(
      ended?.conditions?.find(({ type }) => type === 'Ready'),
      { status: 'False', reason: 'PodCompleted' },
    );
    const failed = (await pods.phase('never-fails', 'Failed')).status;
    t.match(failed?.containerStatuses?.[0], {
      restartCount: 0,
      state: { terminated: { exitCode: 3, reason: 'Error' } },
    });
    const greedy = (await pods.phase('greedy', 'Failed')).status?.containerStatuses?.[0];
    t.match(greedy?.state?.terminated, { exitCode: 137, reason: 'OOMKilled' });
    const unstartable = (await pods.phase('never-begins', 'Failed')).status;
    t.match(unstartable?.containerStatuses?.[0], {
      restartCount: 0,
      state: { terminated: { exitCode: 128, reason: 'StartError', message: /no-such-command/ } },
    });
    await pods.when('one of two has ended', 'half', ({ state }) => state?.terminated, 'done');
    t.equal((await pods.get('half')).status?.phase, 'Running', 'a pod runs while one of its containers does');
  });

  await t.test('a restart policy of a container, and exit codes that it does not hold for', async (t) => {
    const ruled = (await pods.phase('ruled', 'Failed')).status?.containerStatuses?.[0];
    t.match(ruled, { restartCount: 1, state: { terminated: { exitCode: 4 } } });
    t.match(ruled?.lastState?.terminated, { exitCode: 42 });
  });

  await t.test('other resources, where a container may be started anew for them', async (t) => {
    await pods.ready('resized');
    const kept = await pods.id('resized', 'kept');
    const resize = (limits: object) =>
      stand.kubectl(
        ...['patch', 'pod', 'resized', '--subresource', 'resize', '--patch'],
        JSON.stringify({ spec: { containers: [{ name: 'main', resources: { requests: limits, limits } }] } }),
      );
    await t.rejects(resize({ cpu: '200m' }), /cpu of a running container cannot be changed in place here/);
    await resize({ memory: '48Mi' });
    await pods.when(
      'it was started anew',
      'resized',
      ({ restartCount, ready }) => restartCount === 1 && ready,
    );
    const { HostConfig } = await engine.docker.getContainer(await pods.id('resized', 'main')).inspect();
    t.equal(HostConfig.Memory, 48 * 1024 * 1024);
    t.equal(await pods.id('resized', 'kept'), kept);
  });

  await t.test('a pod that has ended is not run again', async (t) => {
    for (const name of ['never', 'never-fails', 'on-failure']) {
      const gone = (await engine.containers(stand.node, { all: true })).filter(({ pod }) => pod === name);
      t.ok(gone.length > 0);
      for (const { id } of gone) await engine.remove(id);
    }
    const said = stand.hub.lines.length;
    await stand.agent.end('SIGKILL');
    await stand.startAgent();
    await stand.hub.line(/node connected/, said);
    await stand.apply(podOf('after', { main: {} }));
    await pods.ready('after');
    const left = await engine.containers(stand.node, { all: true });
    t.same(
      left.filter(({ pod }) => ['never', 'never-fails', 'on-failure'].includes(pod)),
      [],
      'what somebody removed was not made again',
    );
    for (const [name, phase, exitCode] of [
      ['never', 'Succeeded', 0],
      ['never-fails', 'Failed', 3],
      ['on-failure', 'Succeeded', 0],
    ] as const) {
      const { status } = await pods.get(name);
      t.equal(status?.phase, phase);
      t.equal(status?.containerStatuses?.[0]?.state?.terminated?.exitCode, exitCode);
    }
    await stand.kubectl('delete', 'pod', 'never', 'never-fails', 'on-failure', '--wait', '--timeout=60s');
  });

  await t.test('a container that ends is restarted at once, and after that with a back-off', async (t) => {
    await stand.apply(exits('crashing', 'exit 1', 'Always')); // after the agent's restart, which ends all waiting
    const waiting = await pods.when(
      'it waits',
      'crashing',
      ({ state }) => state?.waiting?.reason === 'CrashLoopBackOff',
    );
    t.match(waiting, { restartCount: 1, ready: false, lastState: { terminated: { exitCode: 1 } } });
    t.match(
      waiting.state?.waiting?.message,
      /^back-off 10s restarting failed container=main pod=crashing_default\(/,
    );
    await until('an event tells', async () => (await pods.events('crashing')).includes('BackOff'));
    const [first, second] = await attempts('crashing');
    const pauseMs = (second?.start ?? 0) - (first?.end ?? 0);
    t.ok(pauseMs < 3_000, `the first time at once: ${pauseMs}`);
    t.match(await stand.kubectl('get', 'pod', 'crashing'), /0\/1 +CrashLoopBackOff/);
  });

  await t.test('who ends when asked is gone at once', async (t) => {
    await pods.ready('polite');
    t.ok((await deletion('polite', '--wait')) < 15_000, 'long before its 30 s are over');
    t.ok(existsSync(join(root, 'polite')), 'it was asked');
  });

  await t.test('who does not is killed when its time is over', async (t) => {
    await pods.ready('stubborn');
    const tookMs = await deletion('stubborn', '--wait');
    t.ok(tookMs >= 1_900, `not before: ${tookMs}`);
    t.ok(tookMs < 15_000, `soon after: ${tookMs}`);
    t.ok(existsSync(join(root, 'stubborn')), 'it was asked');
  });

  await t.test(
    'a deletion by force does not wait for the device, where the container still gets its time',
    async (t) => {
      await pods.ready('forced');
      t.ok(
        (await deletion('forced', '--grace-period=0', '--force')) < 4_000,
        'it is over before the container is',
      );
      await until('its container is gone', async () =>
        (await engine.containers(stand.node, { all: true })).every(({ pod }) => pod !== 'forced'),
      );
    },
  );

  for (const [name, { sicken }] of Object.entries(SICKENING)) {
    await t.test(`a container that is not alive is restarted: ${name}`, async (t) => {
      await pods.ready(name);
      t.equal((await pods.container(name))?.restartCount, 0);
      await pods.exec(name, 'main', 'sh', '-c', sicken);
      await pods.when('it was restarted', name, ({ restartCount, ready }) => restartCount === 1 && ready);
      await until('events tell why', async () => {
        const reasons = await pods.events(name);
        return reasons.includes('Unhealthy') && reasons.includes('Killing');
      });
    });
  }

  for (const [live, { sicken, heal }] of Object.entries(SICKENING)) {
    const name = live.replace('live', 'ready');
    await t.test(`a container that is not ready is told, not restarted: ${name}`, async (t) => {
      await pods.ready(name);
      const id = await pods.id(name);
      await pods.exec(name, 'main', 'sh', '-c', sicken);
      await until('it is not ready', async () => !(await pods.isReady(name)));
      t.match(await stand.kubectl('get', 'pod', name), /0\/1 +Running +0/);
      await pods.exec(name, 'main', 'sh', '-c', heal);
      await pods.ready(name);
      t.equal(await pods.id(name), id);
      await until('of commands that hung nothing is left', async () => {
        return !commandsIn(id).some((command) => command.includes('sleep 1234'));
      });
    });
  }

  await t.test('a Deployment is as available as its pods are ready', async (t) => {
    await stand.kubectl('rollout', 'status', 'deployment/available', '--timeout=60s');
    const { items } = (await stand.api.call(
      'GET',
      '/api/v1/namespaces/default/pods?labelSelector=app%3Davailable',
    )) as {
      items: { metadata: { name: string } }[];
    };
    const name = items[0]?.metadata.name ?? '';
    await pods.exec(name, 'main', 'rm', '/tmp/well');
    await stand.kubectl('wait', 'deployment/available', '--for=condition=Available=False', '--timeout=60s');
    await pods.exec(name, 'main', 'touch', '/tmp/well');
    await stand.kubectl('wait', 'deployment/available', '--for=condition=Available', '--timeout=60s');
    t.match(await stand.kubectl('get', 'deployment', 'available'), /1\/1 +1 +1/);
  });

  await t.test('a new image restarts its container, and no other', async (t) => {
    await pods.ready('two');
    const kept = await pods.id('two', 'kept');
    const uid = (await pods.get('two')).metadata?.uid;
    await stand.kubectl('set', 'image', 'pod/two', `changed=${appImage(2)}`);
    await pods.when(
      'the new one runs',
      'two',
      ({ image, ready, restartCount }) => image === appImage(2) && ready && restartCount === 1,
      'changed',
    );
    t.equal(await pods.exec('two', 'changed', 'cat', '/www/version'), '2');
    t.equal(await pods.id('two', 'kept'), kept);
    t.equal((await pods.container('two', 'kept'))?.restartCount, 0);
    t.equal((await pods.get('two')).metadata?.uid, uid, 'it is the same pod');
  });

  await t.test('the second restart has waited for the back-off', async (t) => {
    await pods.when('it was restarted twice', 'crashing', ({ restartCount }) => restartCount >= 2);
    const [second, third] = (await attempts('crashing')).slice(-2);
    const waitedMs = (third?.start ?? 0) - (second?.end ?? 0);
    t.ok(waitedMs >= 9_500, `10 s: ${waitedMs}`);
  });
}
