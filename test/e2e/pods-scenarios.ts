import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { Engine } from '../support/engine.ts';
import { freePort } from '../support/free-port.ts';
import { makeAppImages, WORK } from '../support/images.ts';
import { listOf, podOf, SeenPods, shell } from '../support/pods.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/*
 * What a container gets that its pod asks for: network, environment, limits, volumes; and whose it is, where several
 * devices share an engine.
 */

const configMap = (name: string, data: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default' },
  data,
});

const secret = (name: string, stringData: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'default' },
  stringData,
});

const sharing = (hostPort: number) => {
  const volumeMounts = [
    { name: 'disk', mountPath: '/data' },
    { name: 'memory', mountPath: '/fast' },
  ];
  const volumes = [
    { name: 'disk', emptyDir: {} },
    { name: 'memory', emptyDir: { medium: 'Memory' } },
  ];
  const ports = [{ containerPort: 8080, hostPort }];
  const address = { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } };
  return podOf(
    'sharing',
    {
      server: { command: ['httpd', '-f', '-p', '8080', '-h', '/www'], ports, volumeMounts },
      client: { env: [address], volumeMounts },
    },
    { volumes, terminationGracePeriodSeconds: 0 },
  );
};

const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });

const speaking = {
  ...podOf('speaking', {
    main: {
      command: shell(`echo "$@"; ${WORK}`),
      args: ['$0', '$(PLAIN) $(UNKNOWN) $$(PLAIN)', 'two  words'],
      resources: { limits: { cpu: '500m', memory: '64Mi' }, requests: { cpu: '250m', memory: '32Mi' } },
      envFrom: [{ configMapRef: { name: 'settings' }, prefix: 'SET_' }, { secretRef: { name: 'keys' } }],
      env: [
        { name: 'PLAIN', value: 'hello' },
        { name: 'COMPOSED', value: '$(PLAIN), $(SET_color) $$(PLAIN) $(NONE)' },
        { name: 'OF_MAP', valueFrom: { configMapKeyRef: { name: 'settings', key: 'color' } } },
        { name: 'OF_SECRET', valueFrom: { secretKeyRef: { name: 'keys', key: 'password' } } },
        {
          name: 'ABSENT',
          valueFrom: { configMapKeyRef: { name: 'settings', key: 'none', optional: true } },
        },
        field('POD_NAME', 'metadata.name'),
        field('POD_NAMESPACE', 'metadata.namespace'),
        field('POD_UID', 'metadata.uid'),
        field('LABEL', "metadata.labels['tier']"),
        field('ANNOTATION', "metadata.annotations['holdfast.test/note']"),
        field('NODE_NAME', 'spec.nodeName'),
        field('HOST_IP', 'status.hostIP'),
        { name: 'CPUS', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
        {
          name: 'MILLI_CPUS',
          valueFrom: { resourceFieldRef: { resource: 'requests.cpu', divisor: '1m' } },
        },
        {
          name: 'MEBIBYTES',
          valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } },
        },
      ],
    },
  }),
};

const labelled = (pod: ReturnType<typeof podOf>, metadata: object) => ({
  ...pod,
  metadata: { ...pod.metadata, ...metadata },
});

const files = podOf(
  'files',
  {
    main: {
      volumeMounts: [
        { name: 'settings', mountPath: '/settings' },
        { name: 'some', mountPath: '/some' },
        { name: 'keys', mountPath: '/keys' },
      ],
    },
  },
  {
    volumes: [
      { name: 'settings', configMap: { name: 'settings', defaultMode: 0o440 } },
      {
        name: 'some',
        configMap: {
          name: 'settings',
          items: [{ key: 'color', path: 'deep/er/colour', mode: 0o400 }],
        },
      },
      { name: 'keys', secret: { secretName: 'keys', defaultMode: 0o400 } },
    ],
  },
);

const hostPaths = (root: string) => {
  const volume = (name: string, type?: string) => ({
    name,
    hostPath: { path: join(root, name), ...(type && { type }) },
  });
  const mount = (name: string) => ({ name, mountPath: `/${name}` });
  const names = ['any', 'made-directory', 'made-file', 'directory', 'file'];
  const good = podOf(
    'host-paths',
    { main: { volumeMounts: names.map(mount) } },
    {
      volumes: [
        volume('any'),
        volume('made-directory', 'DirectoryOrCreate'),
        volume('made-file', 'FileOrCreate'),
        volume('directory', 'Directory'),
        volume('file', 'File'),
      ],
    },
  );
  const wrong = (name: string, type: string, file: string) =>
    podOf(name, { main: { volumeMounts: [mount(file)] } }, { volumes: [volume(file, type)] });
  return [good, wrong('no-directory', 'Directory', 'none'), wrong('no-file', 'File', 'directory')];
};

const onlyOther = podOf(
  'only-other',
  { main: {} },
  {
    nodeSelector: { disk: 'ssd' },
    tolerations: [{ key: 'dedicated', operator: 'Equal', value: 'other', effect: 'NoSchedule' }],
  },
);
const nowhere = podOf('nowhere', { main: {} }, { nodeSelector: { disk: 'ssd' } });

export async function podsOnDevices(t: Test, engine: Engine): Promise<void> {
  const stand = new Stand(engine, 'mqtt', 'device-pods');
  const other = `${stand.node}-other`;
  const pods = new SeenPods(stand);
  const hostPort = await freePort();
  const root = join(stand.dir, 'host');
  t.teardown(() => stand.close());
  await makeAppImages(engine, [1]);
  await stand.start();
  await stand.addDevice(other);
  await stand.kubectl('label', 'node', other, 'disk=ssd');
  await stand.kubectl('taint', 'node', other, 'dedicated=other:NoSchedule');
  mkdirSync(join(root, 'directory'), { recursive: true });
  writeFileSync(join(root, 'file'), 'from the host');
  await stand.apply(
    listOf(
      configMap('settings', { color: 'blue', size: '7' }),
      secret('keys', { password: 'se=cr$(et)' }),
      sharing(hostPort),
      labelled(speaking, { labels: { tier: 'front' }, annotations: { 'holdfast.test/note': 'a note' } }),
      files,
      ...hostPaths(root),
      onlyOther,
      nowhere,
    ),
  );

  await t.test('containers of a pod share localhost, and its ports are published', async (t) => {
    await pods.ready('sharing');
    const { status } = await pods.get('sharing');
    t.equal(await pods.exec('sharing', 'client', 'wget', '-qO-', 'http://127.0.0.1:8080/version'), '1');
    t.equal(
      await pods.exec('sharing', 'client', 'sh', '-c', 'echo $POD_IP'),
      status?.podIP,
      'a container knows its pod’s address',
    );
    for (const address of [`127.0.0.1:${hostPort}`, `${status?.podIP}:8080`]) {
      const answer = await fetch(`http://${address}/version`);
      t.equal(await answer.text(), '1\n', `reached by ${address}`);
    }
  });

  await t.test('an emptyDir is shared, and outlives a container', async (t) => {
    await pods.exec('sharing', 'client', 'sh', '-c', 'echo kept > /data/x; echo quick > /fast/x');
    t.equal(await pods.exec('sharing', 'server', 'cat', '/data/x', '/fast/x'), 'kept\nquick');
    const client = await pods.id('sharing', 'client');
    await engine.kill(await pods.id('sharing', 'server'));
    await pods.when(
      'the server runs again',
      'sharing',
      ({ restartCount, ready }) => restartCount === 1 && ready,
      'server',
    );
    t.equal(await pods.exec('sharing', 'server', 'cat', '/data/x', '/fast/x'), 'kept\nquick');
    t.equal(await pods.id('sharing', 'client'), client, 'the other container was left alone');
    const answer = await fetch(`http://127.0.0.1:${hostPort}/version`);
    t.equal(await answer.text(), '1\n', 'its port is published still');
  });

  await t.test('what belongs in memory is not on the disk', async (t) => {
    const sources = async (name: string, container: string) => {
      const { Mounts } = await engine.docker.getContainer(await pods.id(name, container)).inspect();
      return Object.fromEntries(Mounts.map(({ Destination, Source }) => [Destination, Source]));
    };
    const { '/fast': fast = '', '/data': data = '' } = await sources('sharing', 'client');
    const { '/keys': keys = '' } = await sources('files', 'main');
    t.ok(fast.startsWith(join(stand.dir, 'run')), 'an emptyDir of the medium Memory');
    t.ok(keys.startsWith(join(stand.dir, 'run')), 'a Secret');
    t.ok(data.startsWith(stand.agentDir), 'another emptyDir is');
  });

  await t.test('an emptyDir goes with its pod', async (t) => {
    const uid = (await pods.get('sharing')).metadata?.uid ?? '';
    t.ok(existsSync(join(stand.agentDir, 'pods', uid)));
    await stand.kubectl('delete', 'pod', 'sharing', '--wait', '--timeout=60s');
    await until('its directory is gone', () => !existsSync(join(stand.agentDir, 'pods', uid)));
    await t.rejects(fetch(`http://127.0.0.1:${hostPort}/version`), 'its port is free');
  });

  await t.test('command, args and environment', async (t) => {
    await pods.ready('speaking');
    t.equal(await stand.kubectl('logs', 'speaking'), 'hello $(UNKNOWN) $(PLAIN) two  words\n');
    const lines = (await pods.exec('speaking', 'main', 'busybox', 'env')).split('\n');
    const env = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
    const { metadata, status } = await pods.get('speaking');
    t.match(env, {
      PLAIN: 'hello',
      COMPOSED: 'hello, blue $(PLAIN) $(NONE)',
      OF_MAP: 'blue',
      OF_SECRET: 'se=cr$(et)',
      SET_color: 'blue',
      SET_size: '7',
      password: 'se=cr$(et)',
      POD_NAME: 'speaking',
      POD_NAMESPACE: 'default',
      POD_UID: metadata?.uid,
      LABEL: 'front',
      ANNOTATION: 'a note',
      NODE_NAME: stand.node,
      HOST_IP: status?.hostIP,
      CPUS: '1',
      MILLI_CPUS: '250',
      MEBIBYTES: '64',
    });
    t.notOk('ABSENT' in env, 'an optional key that is not there sets nothing');
  });

  await t.test('limits', async (t) => {
    const { HostConfig } = await engine.docker.getContainer(await pods.id('speaking')).inspect();
    t.equal(HostConfig.CpuQuota, 50_000);
    t.equal(HostConfig.Memory, 64 * 1024 * 1024);
    t.equal(HostConfig.CpuShares, 256);
    // Podman does not tell.
    if (engine.kind === 'docker')
      t.same(HostConfig.LogConfig, { Type: 'json-file', Config: { 'max-size': '8m', 'max-file': '2' } });
  });

  await t.test('files of ConfigMaps and Secrets: content, modes, chosen items', async (t) => {
    await pods.ready('files');
    const about = (path: string) =>
      pods.exec('files', 'main', 'sh', '-c', `busybox stat -L -c %a ${path}; cat ${path}`);
    t.equal(await about('/settings/color'), '440\nblue');
    t.equal(await about('/settings/size'), '440\n7');
    t.equal(await about('/some/deep/er/colour'), '400\nblue');
    t.equal(await pods.exec('files', 'main', 'ls', '/some'), 'deep', 'nothing but what was chosen');
    t.equal(await about('/keys/password'), '400\nse=cr$(et)');
    await t.rejects(pods.exec('files', 'main', 'touch', '/settings/new'), /Read-only file system/);
  });

  await t.test('new configuration arrives in the running container', async (t) => {
    const before = await pods.id('files');
    await stand.apply(listOf(configMap('settings', { color: 'green' }), secret('keys', { password: 'new' })));
    await until(
      'the new values are there',
      async () =>
        (await pods.exec(
          'files',
          'main',
          'cat',
          '/settings/color',
          '/some/deep/er/colour',
          '/keys/password',
        )) === 'greengreennew',
    );
    t.equal(await pods.exec('files', 'main', 'ls', '/settings'), 'color', 'what is no more has gone');
    t.equal(await pods.id('files'), before);
    t.equal((await pods.container('files'))?.restartCount, 0);
    t.match(
      await pods.exec('speaking', 'main', 'sh', '-c', 'echo $OF_MAP'),
      'blue',
      'an environment stays as it was',
    );
  });

  await t.test('paths of the host', async (t) => {
    await pods.ready('host-paths');
    t.equal(await pods.exec('host-paths', 'main', 'cat', '/file'), 'from the host');
    await pods.exec(
      'host-paths',
      'main',
      'sh',
      '-c',
      'for d in any made-directory directory; do echo $d > /$d/x; done',
    );
    for (const name of ['any', 'made-directory', 'directory'])
      t.equal(readFileSync(join(root, name, 'x'), 'utf8'), `${name}\n`);
    t.ok(statSync(join(root, 'made-file')).isFile());
    const message = async (name: string) =>
      (
        await pods.when('it is refused', name, ({ state }) =>
          state?.waiting?.message?.includes('MountVolume.SetUp failed'),
        )
      ).state?.waiting?.message;
    t.match(await message('no-directory'), `hostPath type check failed: ${root}/none is not a directory`);
    t.match(await message('no-file'), `hostPath type check failed: ${root}/directory is not a file`);
    await stand.kubectl('delete', 'pod', 'host-paths', '--wait', '--timeout=60s');
    t.equal(readFileSync(join(root, 'any', 'x'), 'utf8'), 'any\n', 'they outlive the pod');
  });

  await t.test('taints and node selectors decide the device', async (t) => {
    await pods.ready('only-other');
    t.equal((await pods.get('only-other')).spec?.nodeName, other);
    for (const name of ['speaking', 'files'])
      t.equal((await pods.get(name)).spec?.nodeName, stand.node, `${name} does not tolerate the taint`);
    const condition = await until('a pod that fits nowhere says so', async () => {
      const { status } = await pods.get('nowhere');
      return status?.conditions?.find(
        ({ type, reason }) => type === 'PodScheduled' && reason === 'Unschedulable',
      );
    });
    t.match(
      condition.message,
      /untolerated taint.*didn't match Pod's node affinity\/selector|didn't match.*untolerated taint/,
    );
    await stand.kubectl('taint', 'node', other, 'dedicated-');
    await pods.ready('nowhere');
    t.equal((await pods.get('nowhere')).spec?.nodeName, other, 'and runs as soon as it may');
  });

  await t.test('agents that share an engine leave each other’s containers alone', async (t) => {
    const others = async () =>
      (await engine.containers(other, { all: true })).map(({ id, running }) => ({ id, running }));
    const before = await others();
    const labels = async (name: string, node: string) =>
      (await engine.docker.getContainer(await pods.id(name, 'main', node)).inspect()).Config.Labels;
    for (const [name, node] of [
      ['only-other', other],
      ['speaking', stand.node],
    ] as const) {
      t.match(await labels(name, node), {
        'holdfast.dev/node': node,
        'holdfast.dev/pod.uid': (await pods.get(name)).metadata?.uid,
        'holdfast.dev/pod.name': name,
        'holdfast.dev/pod.namespace': 'default',
        'holdfast.dev/container': 'main',
      });
    }
    const said = stand.hub.lines.length;
    await stand.agent.end('SIGKILL');
    await stand.startAgent();
    await stand.hub.line(/node connected/, said);
    await stand.kubectl('delete', 'pod', 'files', 'no-directory', 'no-file', '--wait', '--timeout=60s');
    const mine = await engine.containers(stand.node, { all: true });
    t.same(
      mine.map(({ pod }) => pod),
      ['speaking'],
      'of its own, it removed what it was told to',
    );
    t.equal(before.length, 2);
    t.same(await others(), before);
  });

  await t.test('holdfast-agent status tells it at a glance', async (t) => {
    const status = stand.runAgent('status');
    t.equal(await status.exit(), 0);
    const said = status.lines.join('\n');
    t.match(said, new RegExp(`^Node: +${stand.node} \\(cluster .+\\)$`, 'm'));
    t.match(said, /^Hub: +connected to 127\.0\.0\.2 over mqtt$/m);
    t.match(said, /^Engine: +running$/m);
    t.match(said, /^Desired: +\d+\.\d+$/m);
    t.match(said, /^NAMESPACE +POD +READY +STATUS +RESTARTS$/m);
    t.match(said, /^default +speaking +1\/1 +Running +0$/m);
    t.notMatch(said, /only-other/, 'it tells of this device');
  });
}
