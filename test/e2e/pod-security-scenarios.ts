import { mkdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PodSpec, SecurityContext } from 'kubernetes-types/core/v1.d.ts';
import type { Test } from 'tap';
import type { Engine } from '../support/engine.ts';
import { appImage, makeAppImages } from '../support/images.ts';
import { listOf, podOf, SeenPods, shell } from '../support/pods.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/*
 * What containers may do, by the pod's word (https://kubernetes.io/docs/tasks/configure-pod-container/security-context/)
 * and, before all, by that of the device's owner.
 */

const status = (field: string) => `busybox grep ^${field}: /proc/1/status`;
const secured = (name: string, securityContext: object, spec: Partial<PodSpec> = {}) =>
  podOf(name, { main: { securityContext: securityContext as SecurityContext } }, spec);

export async function podSecurity(t: Test, engine: Engine): Promise<void> {
  const stand = new Stand(engine, 'mqtt', 'device-security');
  const pods = new SeenPods(stand);
  t.teardown(() => stand.close());
  await makeAppImages(engine, [1]);
  await stand.start();
  mkdirSync(join(stand.agentDir, 'seccomp'));
  const noDirectories = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }],
  };
  writeFileSync(join(stand.agentDir, 'seccomp/no-directories.json'), JSON.stringify(noDirectories));
  const localhost = (localhostProfile: string) => ({
    seccompProfile: { type: 'Localhost', localhostProfile },
  });
  await stand.apply(
    listOf(
      secured('user', { runAsUser: 1234, runAsGroup: 4321 }),
      secured('of-pod', {}, { securityContext: { runAsUser: 77, runAsGroup: 78 } }),
      secured('privileged', { privileged: true }),
      secured('capable', { capabilities: { add: ['NET_ADMIN'], drop: ['CHOWN'] } }),
      secured('helpless', { capabilities: { drop: ['ALL'] }, allowPrivilegeEscalation: false }),
      secured('read-only', { readOnlyRootFilesystem: true }),
      secured('unconfined', { seccompProfile: { type: 'Unconfined' } }),
      secured('default', { seccompProfile: { type: 'RuntimeDefault' } }),
      secured('profiled', localhost('no-directories.json')),
      secured('no-profile', localhost('none.json')),
      secured('unmasked', { procMount: 'Unmasked' }, { hostUsers: false } as object),
      secured(
        'tuned',
        {},
        {
          securityContext: {
            sysctls: [
              { name: 'net.ipv4.ip_local_port_range', value: '40000 40100' },
              { name: 'kernel.shm_rmid_forced', value: '1' },
            ],
          },
        },
      ),
      secured('unsafe', {}, { securityContext: { sysctls: [{ name: 'net.core.somaxconn', value: '99' }] } }),
      podOf('shares', {
        writes: { command: shell('echo shared > /dev/shm/said; sleep 1000') },
        reads: {
          command: shell('while ! test -f /dev/shm/said; do sleep 0.1; done; sleep 1000'),
          readinessProbe: { exec: { command: ['test', '-f', '/dev/shm/said'] }, periodSeconds: 1 },
        },
      }),
      secured('sees-all', {}, { hostPID: true }),
      secured('hosts', {}, { hostNetwork: true, hostIPC: true }),
      podOf(
        'together',
        { main: {}, other: { command: shell('sleep 98765') } },
        { shareProcessNamespace: true },
      ),
    ),
  );
  const says = async (name: string, script: string) => {
    await pods.ready(name);
    return pods.exec(name, 'main', ...shell(script));
  };

  await t.test('who it is', async (t) => {
    t.equal(await says('user', 'id -u; id -g'), '1234\n4321');
    t.equal(await says('of-pod', 'id -u; id -g'), '77\n78');
  });

  await t.test('what it may do', async (t) => {
    const bits = async (name: string, field: string) =>
      (await says(name, status(field))).split(/\s+/)[1] ?? '';
    const capabilities = async (name: string) => BigInt(`0x${await bits(name, 'CapBnd')}`);
    const [CHOWN, NET_ADMIN] = [1n << 0n, 1n << 12n];
    t.equal((await capabilities('capable')) & (CHOWN | NET_ADMIN), NET_ADMIN);
    t.equal(await capabilities('helpless'), 0n);
    t.equal(await bits('helpless', 'NoNewPrivs'), '1');
    t.equal(await bits('user', 'NoNewPrivs'), '0');
    t.equal(await says('read-only', 'touch /tmp/a 2>/dev/null || echo refused'), 'refused');
    t.equal(await says('unmasked', 'busybox mount | busybox grep -c "on /proc/" || true'), '0');
    t.not(await says('user', 'busybox mount | busybox grep -c "on /proc/" || true'), '0');
  });

  await t.test('which system calls it may make', async (t) => {
    const mode = async (name: string) => (await says(name, status('Seccomp'))).split(/\s+/)[1];
    t.equal(await mode('unconfined'), '0');
    t.equal(await mode('default'), '2');
    t.equal(await mode('user'), '2', "who says nothing has the engine's own profile");
    t.equal(await says('profiled', 'busybox mkdir /tmp/a 2>/dev/null || echo refused'), 'refused');
    const waiting = await pods.when('it waits', 'no-profile', ({ state }) => state?.waiting?.message);
    t.match(waiting.state?.waiting, {
      reason: 'CreateContainerConfigError',
      message: /cannot load seccomp profile ".*seccomp\/none.json": ENOENT/,
    });
  });

  await t.test('what it sets in the kernel', async (t) => {
    t.equal(
      await says('tuned', 'cat /proc/sys/net/ipv4/ip_local_port_range').then((text) =>
        text.replace('\t', ' '),
      ),
      '40000 40100',
    );
    t.equal(await says('tuned', 'cat /proc/sys/kernel/shm_rmid_forced'), '1');
    const waiting = await pods.when('it waits', 'unsafe', ({ state }) => state?.waiting?.message);
    t.match(waiting.state?.waiting, {
      reason: 'DeniedByDevice',
      message: /does not allow sysctl net.core.somaxconn \(allowedUnsafeSysctls\)/,
    });
  });

  await t.test('what containers share', async (t) => {
    await pods.ready('shares');
    t.equal(await pods.exec('shares', 'reads', 'cat', '/dev/shm/said'), 'shared');
    t.match(await says('sees-all', 'busybox ps | busybox grep -c dockerd'), /[1-9]/);
    t.match(await says('together', 'busybox ps'), /sleep 98765/);
    t.notMatch(await pods.exec('shares', 'reads', 'busybox', 'ps'), /shared > /, 'who does not ask does not');
    const [net, ipc, pid] = ['net', 'ipc', 'pid'].map((kind) => readlinkSync(`/proc/self/ns/${kind}`));
    const own = (name: string, kind: string) => says(name, `busybox readlink /proc/self/ns/${kind}`);
    t.equal(await own('hosts', 'net'), net);
    t.equal(await own('hosts', 'ipc'), ipc);
    t.not(await own('hosts', 'pid'), pid, 'and nothing that it did not ask for');
    t.equal(await own('sees-all', 'pid'), pid);
    t.not(await own('sees-all', 'net'), net);
    t.not(await own('sees-all', 'ipc'), ipc);
  });

  await t.test("the word of the device's owner", async (t) => {
    const allowed = join(stand.dir, 'allowed');
    mkdirSync(allowed);
    symlinkSync('/etc', join(allowed, 'link'));
    const runs = await pods.id('sees-all');
    await stand.agent.end('SIGTERM');
    await stand.startAgent(
      ...['--allow-privileged', 'false', '--allow-host-network', 'false', '--allowed-host-paths', allowed],
      ...[
        '--allowed-registries',
        'holdfast.test/app,registry.test',
        '--allowed-unsafe-sysctls',
        'net.core.*',
      ],
    );
    t.equal(await says('unsafe', 'cat /proc/sys/net/core/somaxconn'), '99', 'what is allowed now runs');
    const denied = async (name: string, what: RegExp) => {
      const { state } = await pods.when(
        'it is denied',
        name,
        ({ state }) => state?.waiting?.reason === 'DeniedByDevice',
      );
      t.match(state?.waiting?.message, what);
      await until('an event tells', async () => (await pods.events(name)).includes('DeniedByDevice'));
    };
    // Whether the machine of this test could run one at all does not matter.
    await denied('privileged', /does not allow container "main" privileged \(allowPrivileged\)/);
    await until('what ran is ended', async () =>
      (await engine.containers(stand.node)).every(({ id }) => id !== runs),
    );
    await denied('sees-all', /hostPID \(allowPrivileged\)/);
    const mounts = (name: string, path: string) =>
      podOf(
        name,
        { main: { volumeMounts: [{ name: 'host', mountPath: '/host' }] } },
        { volumes: [{ name: 'host', hostPath: { path } }] },
      );
    await stand.apply(
      listOf(
        podOf('host-network', { main: {} }, { hostNetwork: true }),
        mounts('etc', '/etc'),
        mounts('inside', join(allowed, 'inside')),
        mounts('linked', join(allowed, 'link')),
        podOf('foreign', { main: { image: 'elsewhere.test/app:1' } }),
      ),
    );
    await denied('host-network', /hostNetwork \(allowHostNetwork\)/);
    await denied('etc', /volume "host" of the path \/etc \(allowedHostPaths\)/);
    await denied('foreign', /image "elsewhere.test\/app:1" \(allowedRegistries\)/);
    await pods.ready('inside');
    const linked = await pods.when('it waits', 'linked', ({ state }) => state?.waiting?.message);
    t.match(
      linked.state?.waiting?.message,
      /link leads to \/etc, which the owner of this device does not allow/,
    );
    await stand.kubectl(
      'debug',
      'inside',
      `--image=${appImage(1)}`,
      '--profile=sysadmin',
      '--',
      'sleep',
      '1000',
    );
    await until('who looks into a pod is held to it too', async () => {
      const [debug] = (await pods.get('inside')).status?.ephemeralContainerStatuses ?? [];
      return debug?.state?.waiting?.reason === 'DeniedByDevice';
    });
    t.ok(await pods.isReady('inside'), 'and the pod goes on');
    t.ok(await pods.isReady('user'), 'as do all others');
    await stand.agent.end('SIGTERM');
    await stand.startAgent('--require-digest', 'true');
    await denied('user', /requireDigest/);
  });
}
