import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { PodSpec } from 'kubernetes-types/core/v1.d.ts';
import type { Test } from 'tap';
import type { Engine } from '../support/engine.ts';
import { makeAppImages, WORK } from '../support/images.ts';
import { listOf, podOf, SeenPods, shell } from '../support/pods.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/* Volumes as containers see them, one check for each behaviour that Kubernetes documents; docs/pods.md names them. */

const object = (kind: string, name: string, rest: object) => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace: 'default' },
  ...rest,
});
const mount = (name: string, mountPath: string, rest: object = {}) => ({ name, mountPath, ...rest });

const inMemory = podOf(
  'in-memory',
  {
    main: { volumeMounts: [mount('fast', '/fast')] },
    other: { volumeMounts: [mount('fast', '/fast')] },
  },
  { volumes: [{ name: 'fast', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } }] },
);

const parts = (root: string) =>
  podOf(
    'parts',
    {
      main: {
        env: [{ name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
        volumeMounts: [
          mount('disk', '/whole'),
          mount('disk', '/part', { subPath: 'a/b' }),
          mount('disk', '/named', { subPathExpr: 'logs/$(NAME)' }),
          mount('settings', '/color', { subPath: 'color' }),
          mount('settings', '/settings'),
          mount('host', '/file', { subPath: 'inside' }),
        ],
      },
    },
    {
      volumes: [
        { name: 'disk', emptyDir: {} },
        { name: 'settings', configMap: { name: 'settings' } },
        { name: 'host', hostPath: { path: root } },
      ],
    },
  );

/** One container can write where the other mounts a part. */
const escaping = podOf(
  'escaping',
  {
    planter: { volumeMounts: [mount('disk', '/disk')] },
    victim: { volumeMounts: [mount('disk', '/sub', { subPath: 'out/there' })] },
  },
  { volumes: [{ name: 'disk', emptyDir: {} }] },
);

const follows = podOf(
  'follows',
  { main: { volumeMounts: [mount('host', '/sub', { subPath: 'link/below' })] } },
  {},
);

const groups = podOf(
  'groups',
  {
    main: {
      command: shell(`touch /disk/made; ${WORK}`),
      securityContext: { runAsUser: 1000, runAsGroup: 1001 },
      volumeMounts: [mount('disk', '/disk'), mount('memory', '/memory'), mount('keys', '/keys')],
    },
  },
  {
    securityContext: { fsGroup: 2000, fsGroupChangePolicy: 'OnRootMismatch', supplementalGroups: [3000] },
    volumes: [
      { name: 'disk', emptyDir: {} },
      { name: 'memory', emptyDir: { medium: 'Memory' } },
      { name: 'keys', secret: { secretName: 'keys', defaultMode: 0o400 } },
    ],
  },
);

const told = podOf(
  'told',
  {
    main: {
      resources: { limits: { memory: '64Mi' } },
      volumeMounts: [mount('about', '/about'), mount('all', '/all')],
    },
  },
  {
    volumes: [
      {
        name: 'about',
        downwardAPI: {
          items: [
            { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
            { path: 'note', fieldRef: { fieldPath: "metadata.annotations['holdfast.test/note']" } },
            {
              path: 'memory',
              resourceFieldRef: { containerName: 'main', resource: 'limits.memory', divisor: '1Mi' },
            },
          ],
        },
      },
      {
        name: 'all',
        projected: {
          defaultMode: 0o444,
          sources: [
            { configMap: { name: 'settings', items: [{ key: 'color', path: 'of/map' }] } },
            { secret: { name: 'keys', items: [{ key: 'password', path: 'of-secret', mode: 0o400 }] } },
            { downwardAPI: { items: [{ path: 'uid', fieldRef: { fieldPath: 'metadata.uid' } }] } },
            { configMap: { name: 'none', optional: true } },
          ],
        },
      },
    ],
  },
);

const withVolume = (name: string, volume: object, rest: object = {}, main: object = {}) =>
  podOf(
    name,
    { main: { volumeMounts: [mount('it', '/it', rest)], ...main } },
    { volumes: [{ name: 'it', ...volume }] as PodSpec['volumes'] & object },
  );

/** What is refused, and with which words. */
const refused = (root: string): Readonly<Record<string, [pod: object, why: RegExp]>> => {
  const host = (name: string, type: string, why: RegExp): [string, [object, RegExp]] => [
    name,
    [withVolume(name, { hostPath: { path: join(root, name === 'no-file' ? 'dir' : 'inside'), type } }), why],
  ];
  return Object.fromEntries([
    host('no-directory', 'Directory', /hostPath type check failed: .*inside is not a directory/),
    host('no-file', 'File', /hostPath type check failed: .*dir is not a file/),
    host('no-socket', 'Socket', /is not a socket file/),
    host('no-character', 'CharDevice', /is not a character device/),
    host('no-block', 'BlockDevice', /is not a block device/),
    [
      'no-iscsi',
      [
        withVolume('no-iscsi', { iscsi: { targetPortal: '127.0.0.1:1', iqn: 'iqn.test', lun: 0 } }),
        /of the kind "iscsi", which this agent does not support/,
      ],
    ],
    [
      'no-key',
      [
        withVolume('no-key', { configMap: { name: 'settings', items: [{ key: 'k', path: 'k' }] } }),
        /references non-existent config key: k/,
      ],
    ],
    [
      'no-bundle',
      [
        withVolume('no-bundle', {
          projected: { sources: [{ clusterTrustBundle: { name: 'x', path: 'x' } }] },
        }),
        /"clusterTrustBundle" is not supported/,
      ],
    ],
    [
      'no-part',
      [
        withVolume('no-part', { configMap: { name: 'settings' } }, { subPath: 'none' }),
        /subPath "none" is not in its volume/,
      ],
    ],
    [
      'no-recursion',
      [
        withVolume('no-recursion', { emptyDir: {} }, { readOnly: true, recursiveReadOnly: 'Enabled' }),
        /requested recursive read-only mode/,
      ],
    ],
    [
      'no-way-out',
      [
        withVolume('no-way-out', { hostPath: { path: root } }, { subPath: 'out/x' }),
        /subPath "out\/x" leads out of its volume, to "\/etc/,
      ],
    ],
  ]) as Readonly<Record<string, [object, RegExp]>>;
};

export async function podVolumes(t: Test, engine: Engine): Promise<void> {
  const stand = new Stand(engine, 'mqtt', 'device-volumes');
  const pods = new SeenPods(stand);
  const root = join(stand.dir, 'host');
  t.teardown(() => stand.close());
  await makeAppImages(engine, [1]);
  await stand.start();
  mkdirSync(join(root, 'dir', 'below'), { recursive: true });
  writeFileSync(join(root, 'inside'), 'from the host');
  writeFileSync(join(root, 'dir', 'below', 'x'), 'behind a link');
  symlinkSync('dir', join(root, 'link'));
  symlinkSync('/etc', join(root, 'out'));
  follows.spec.volumes = [{ name: 'host', hostPath: { path: root } }];
  const wrong = refused(root);
  const secret = object('Secret', 'keys', { stringData: { password: 'secret' } });
  const settings = (color: string) => object('ConfigMap', 'settings', { data: { color } });
  await stand.apply(
    listOf(
      ...[settings('blue'), secret, inMemory, parts(root), escaping, follows, groups],
      {
        ...told,
        metadata: {
          ...told.metadata,
          labels: { tier: 'front' },
          annotations: { 'holdfast.test/note': 'first' },
        },
      },
      ...Object.values(wrong).map(([pod]) => pod),
    ),
  );
  const sh = (pod: string, script: string, container = 'main') =>
    pods.exec(pod, container, 'sh', '-c', script);

  await t.test('an emptyDir in memory takes no more than its limit, and outlives a container', async (t) => {
    await pods.ready('in-memory');
    t.match(await sh('in-memory', 'busybox mount | busybox grep " /fast "'), /tmpfs .*size=1024k/);
    t.match(
      await sh('in-memory', 'dd if=/dev/zero of=/fast/big bs=1024 count=2000 2>&1 || true'),
      /No space left/,
    );
    await sh('in-memory', 'rm /fast/big; echo kept > /fast/x');
    await engine.kill(await pods.id('in-memory', 'other'));
    await pods.when(
      'it runs again',
      'in-memory',
      ({ restartCount, ready }) => restartCount === 1 && ready,
      'other',
    );
    t.equal(await sh('in-memory', 'cat /fast/x', 'other'), 'kept');
    await stand.agent.end('SIGKILL');
    await stand.startAgent();
    await pods.ready('in-memory');
    t.equal(
      await sh('in-memory', 'cat /fast/x'),
      'kept',
      'an agent that is started anew mounts nothing over it',
    );
  });

  await t.test('parts of volumes', async (t) => {
    await pods.ready('parts');
    await sh('parts', 'echo 1 > /part/x; echo 2 > /named/y');
    t.equal(
      await sh('parts', 'cat /whole/a/b/x /whole/logs/parts/y'),
      '1\n2',
      'missing directories are made',
    );
    t.equal(
      await sh('parts', 'busybox stat -c %a /whole/a /part'),
      '777\n777',
      'with the mode of the volume',
    );
    t.equal(await sh('parts', 'cat /color /file'), 'bluefrom the host');
    await pods.ready('follows');
    t.equal(
      await sh('follows', 'cat /sub/x'),
      'behind a link',
      'a link that stays in the volume is followed',
    );
    const left = readFileSync('/proc/self/mountinfo', 'utf8').includes(
      `${stand.runDir}/memory/pods/${(await pods.get('parts')).metadata?.uid}`,
    );
    t.notOk(left, 'the agent keeps no mount of them');
  });

  await t.test('a link that a container plants leads nowhere', async (t) => {
    await pods.ready('escaping');
    await sh('escaping', 'rm -rf /disk/out; busybox ln -s /etc /disk/out', 'planter');
    await engine.kill(await pods.id('escaping', 'victim'));
    const isRefused = await pods.when(
      'it is refused',
      'escaping',
      ({ state }) => state?.waiting?.reason === 'CreateContainerConfigError',
      'victim',
    );
    t.match(isRefused.state?.waiting?.message, /subPath "out\/there" leads out of its volume, to "\/etc"/);
    t.notOk(existsSync('/etc/there'), 'and nothing was made there');
    t.ok((await pods.container('escaping', 'planter'))?.ready, 'the other container goes on');
  });

  await t.test('fsGroup and supplementalGroups', async (t) => {
    await pods.ready('groups');
    t.equal(await sh('groups', 'id -u; id -g; busybox id -G'), '1000\n1001\n1001 2000 3000');
    t.equal(await sh('groups', 'busybox stat -c "%a %g" /disk /memory'), '2777 2000\n2777 2000');
    t.equal(
      await sh('groups', 'busybox stat -c "%u %g" /disk/made'),
      '1000 2000',
      'what is made there is the group’s',
    );
    t.equal(
      await sh('groups', 'busybox stat -L -c "%a %u %g" /keys/password; cat /keys/password'),
      '440 0 2000\nsecret',
    );
  });

  await t.test('what a pod is told of itself, in files that follow its changes', async (t) => {
    await pods.ready('told');
    t.equal(await sh('told', 'cat /about/labels /about/note /about/memory'), 'tier="front"first64');
    const { metadata } = await pods.get('told');
    t.equal(await sh('told', 'cat /all/of/map /all/of-secret /all/uid'), `bluesecret${metadata?.uid}`);
    t.equal(await sh('told', 'busybox stat -L -c %a /all/of/map /all/of-secret'), '444\n400');
    await stand.kubectl('label', 'pod', 'told', 'tier=back', '--overwrite');
    await stand.kubectl('annotate', 'pod', 'told', 'holdfast.test/note=second', '--overwrite');
    await until(
      'the files have changed',
      async () => (await sh('told', 'cat /about/labels /about/note')) === 'tier="back"second',
    );
    t.equal((await pods.container('told'))?.restartCount, 0);
  });

  await t.test('what cannot be is refused with the reason, and disturbs nobody', async (t) => {
    for (const [name, [, why]] of Object.entries(wrong)) {
      const { state } = await pods.when('it waits', name, ({ state }) => state?.waiting?.message);
      t.match(state?.waiting?.message, why, name);
    }
    const reasons = await until('there are events', async () => {
      const found = await pods.events('no-socket');
      return found.includes('FailedMount') ? found : undefined;
    });
    t.ok(reasons.includes('FailedMount'));
    await stand.kubectl('delete', 'pod', ...Object.keys(wrong), '--wait', '--timeout=60s');
  });

  await t.test('sockets and devices of the host', async (t) => {
    const socket = join(root, 'socket');
    const server = createServer().listen(socket);
    t.teardown(() => server.close());
    await until('it listens', () => existsSync(socket));
    await stand.apply(
      listOf(
        withVolume('socket', { hostPath: { path: socket, type: 'Socket' } }),
        withVolume('device', { hostPath: { path: '/dev/zero', type: 'CharDevice' } }),
        withVolume('made', { hostPath: { path: join(root, 'new', 'dir'), type: 'DirectoryOrCreate' } }),
        withVolume('made-file', { hostPath: { path: join(root, 'new-file'), type: 'FileOrCreate' } }),
      ),
    );
    for (const name of ['socket', 'device', 'made', 'made-file']) await pods.ready(name);
    t.match(await sh('socket', 'ls -l /it'), /^s/);
    t.equal(statSync(join(root, 'new', 'dir')).mode & 0o777, 0o755);
    t.equal(statSync(join(root, 'new-file')).mode & 0o777, 0o644);
  });

  await t.test('mounts that come later', async (t) => {
    const shared = join(stand.dir, 'shared');
    mkdirSync(shared);
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', shared]);
    execFileSync('mount', ['--make-rshared', shared]);
    t.teardown(() => execFileSync('umount', ['-l', '-R', shared]));
    for (const name of ['none', 'to-container', 'both']) mkdirSync(join(shared, name));
    const volume = { hostPath: { path: shared } };
    const privileged = { securityContext: { privileged: true } };
    await stand.apply(
      listOf(
        withVolume('none', volume),
        withVolume('to-container', volume, { mountPropagation: 'HostToContainer' }),
        withVolume('both', volume, { mountPropagation: 'Bidirectional' }, privileged),
      ),
    );
    for (const name of ['none', 'to-container']) await pods.ready(name);
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', join(shared, 'none')]);
    writeFileSync(join(shared, 'none', 'x'), 'later');
    t.equal(await sh('none', 'ls /it/none'), '');
    t.equal(await sh('to-container', 'cat /it/none/x'), 'later');
    // Not every engine that tests run on may start what is privileged.
    const propagation = await until('it is made', async () => {
      const both = (await engine.containers(stand.node, { all: true })).find(({ pod }) => pod === 'both');
      const { Mounts } = (both && (await engine.docker.getContainer(both.id).inspect())) ?? {};
      return Mounts?.find(({ Destination }) => Destination === '/it')?.Propagation;
    });
    t.equal(propagation, 'rshared');
    await stand.kubectl('delete', 'pod', 'none', 'to-container', 'both', '--wait', '--timeout=60s');
  });

  await t.test('new configuration comes at once and as a whole, but not into parts', async (t) => {
    const before = await pods.id('parts');
    await stand.apply(settings('green'));
    await until('it is there', async () => (await sh('parts', 'cat /settings/color')) === 'green');
    t.equal(await sh('parts', 'cat /color'), 'blue', 'a part stays as it was when the container was started');
    t.equal(await pods.id('parts'), before);
    await engine.kill(before);
    await pods.when('it runs again', 'parts', ({ restartCount, ready }) => restartCount === 1 && ready);
    t.equal(await sh('parts', 'cat /color'), 'green', 'the next container has the new one');
    t.equal(await sh('parts', 'cat /part/x'), '1');
  });

  await t.test('all of it is there without a connection', async (t) => {
    await stand.cutLink();
    await stand.agent.end('SIGKILL');
    await stand.startAgent();
    const before = await pods.id('told');
    await engine.kill(before);
    const after = await until('another container runs', async () => {
      const id = await pods.id('told');
      return id !== before ? id : undefined;
    });
    t.equal(await engine.exec(after, 'cat', '/about/labels', '/all/of/map'), 'tier="back"green');
    await stand.restoreLink();
    await pods.when('the hub hears of it', 'told', ({ restartCount }) => restartCount === 1);
  });

  await t.test('nothing is left of a pod that is gone, and nothing of the host is lost', async (t) => {
    const uid = (await pods.get('in-memory')).metadata?.uid;
    await stand.kubectl(
      'delete',
      'pod',
      'in-memory',
      'parts',
      'follows',
      'escaping',
      '--wait',
      '--timeout=90s',
    );
    await until(
      'its directories are gone',
      () => !existsSync(join(stand.runDir, 'memory', 'pods', uid ?? '')),
    );
    t.notMatch(readFileSync('/proc/self/mountinfo', 'utf8'), `${uid}`);
    t.equal(readFileSync(join(root, 'inside'), 'utf8'), 'from the host');
    t.equal(readFileSync(join(root, 'dir', 'below', 'x'), 'utf8'), 'behind a link');
  });
}
