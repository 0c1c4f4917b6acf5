import t from 'tap';
import { createOptions } from '../../../agent/runtime/docker-create.ts';
import { runtimeError } from '../../../agent/runtime/docker-errors.ts';
import { infraRoot } from '../../../agent/runtime/infra-image.ts';
import { identityOf, labelsOf } from '../../../agent/runtime/labels.ts';
import { linesOf } from '../../../agent/runtime/lines.ts';
import { payloadIn, payloadsOf } from '../../../agent/runtime/multiplexed.ts';
import type { ContainerIdentity, ContainerSpec } from '../../../agent/runtime/runtime.ts';

const identity: ContainerIdentity = {
  role: 'container',
  podUid: 'u1',
  podNamespace: 'default',
  podName: 'web',
  container: 'main',
  attempt: 2,
  specHash: 'abc',
  crashes: 1,
  graceSeconds: 30,
  infra: '',
  podSinceMs: 0,
  podDevices: '',
  podIp: '',
};
const spec = (rest: Partial<ContainerSpec> = {}): ContainerSpec => ({
  identity,
  image: 'web:1',
  env: ['A=1'],
  mounts: [],
  ports: [],
  network: { type: 'own' },
  ...rest,
});

t.test('what a container may use', async (t) => {
  const host = (rest: Partial<ContainerSpec>) => createOptions('n', spec(rest)).HostConfig ?? {};
  t.match(host({ pidsLimit: 100, oomScore: -997 }), { PidsLimit: 100, OomScoreAdj: -997 });
  const plain = host({});
  for (const name of ['PidsLimit', 'Devices', 'DeviceRequests'] as const) t.notOk(name in plain, name);
  t.match(
    host({
      devices: [
        { type: 'node', path: '/dev/video3', target: '/dev/by-id/cam' },
        { type: 'cdi', name: 'v.com/class=one' },
        { type: 'gpu', id: '0' },
        { type: 'gpu', id: '2' },
      ],
    }),
    {
      Devices: [{ PathOnHost: '/dev/video3', PathInContainer: '/dev/by-id/cam', CgroupPermissions: 'rwm' }],
      DeviceRequests: [
        { Driver: 'cdi', DeviceIDs: ['v.com/class=one'] },
        { Count: 0, DeviceIDs: ['0', '2'], Capabilities: [['gpu']] },
      ],
    },
  );
});

t.test('what the engine says, as a kind that the plan acts on and a sentence for people', async (t) => {
  const answer = (statusCode: number, message: string) => ({ statusCode, json: { message } });
  for (const [error, kind, message] of [
    [answer(404, 'No such image: x'), 'image-absent', /No such image/],
    [answer(404, 'No such container: x'), 'gone', /No such container/],
    [
      answer(409, 'Conflict. The container name "/x" is already in use by container "y"'),
      'name-taken',
      /in use/,
    ],
    [answer(409, 'container is not running'), 'gone', /not running/],
    [answer(500, 'Bind for 0.0.0.0:80 failed: port is already allocated'), 'port-taken', /already allocated/],
    [answer(500, 'boom'), 'other', /^do: boom$/],
    [
      { code: 'ENOENT', message: 'connect ENOENT /s' },
      'engine-down',
      /socket is not there .*: start Docker, or say where/,
    ],
    [
      { code: 'EACCES', message: 'connect EACCES /s' },
      'engine-down',
      /may not be used .*: run the agent as root or as a member/,
    ],
    [{ code: 'ECONNREFUSED', message: 'refused' }, 'engine-down', /does not answer .*: is Docker running\?/],
    [{ code: 'ABORT_ERR', message: 'aborted' }, 'other', /aborted/],
    [new TypeError('a bug'), 'other', /a bug/],
  ] as const) {
    const found = runtimeError('do', error);
    t.equal(found.kind, kind, message.source);
    t.match(found.message, message);
    t.equal(found.cause, error);
  }
});

t.test('a container knows whose it is by its labels alone', async (t) => {
  const labels = labelsOf('device', identity);
  t.match(labels, {
    'holdfast.dev/node': 'device',
    'holdfast.dev/pod.uid': 'u1',
    'holdfast.dev/pod.name': 'web',
    'holdfast.dev/pod.namespace': 'default',
    'holdfast.dev/container': 'main',
  });
  t.same(identityOf(labels), identity);
  t.equal(identityOf({ 'holdfast.dev/node': 'device' }), undefined);
  t.match(
    identityOf({ ...labels, 'holdfast.dev/attempt': 'x' }),
    { attempt: 0 },
    'whatever somebody wrote there',
  );
});

t.test('the request that makes a container', async (t) => {
  t.match(
    createOptions('device', spec({ cpuMilli: 1500, cpuRequestMilli: 250, memoryBytes: 64, user: '7:8' })),
    {
      name: 'hf.web.main.u1.2',
      Image: 'web:1',
      Env: ['A=1'],
      User: '7:8',
      HostConfig: {
        CpuPeriod: 100_000,
        CpuQuota: 150_000,
        CpuShares: 256,
        Memory: 64,
        MemorySwap: 64,
        NetworkMode: 'bridge',
      },
    },
  );
  for (const [cpuMilli, CpuQuota, why] of [
    [64_000, 6_400_000, 'more than a device has is no limit'],
    [1, 1_000, 'less than the kernel takes is what it takes'],
  ] as const)
    t.match(createOptions('device', spec({ cpuMilli })).HostConfig, { CpuQuota }, why);
  const ports = [
    { containerPort: 80, protocol: 'tcp' as const, hostPort: 8080, hostIp: '' },
    { containerPort: 80, protocol: 'tcp' as const, hostPort: 8081, hostIp: '127.0.0.2' },
    { containerPort: 53, protocol: 'udp' as const, hostPort: 0, hostIp: '' },
  ];
  const published = createOptions('device', spec({ ports }));
  t.same(published.ExposedPorts, { '80/tcp': {}, '53/udp': {} });
  t.same(published.HostConfig?.PortBindings, {
    '80/tcp': [
      { HostIp: '', HostPort: '8080' },
      { HostIp: '127.0.0.2', HostPort: '8081' },
    ],
  });
  const confined = createOptions('device', spec({ appArmor: 'of-the-device' }));
  t.same(confined.HostConfig?.SecurityOpt, ['apparmor=of-the-device']);
  const joined = createOptions('device', spec({ network: { type: 'container', id: 'i' }, hostname: 'web' }));
  t.equal(joined.HostConfig?.NetworkMode, 'container:i');
  t.equal(joined.Hostname, undefined, 'who shares a network shares its name');
  t.equal(joined.HostConfig?.PidMode, undefined, 'its processes are its own');
  t.match(
    createOptions('device', spec({ processes: { type: 'container', id: 'p' }, ipc: { type: 'host' } }))
      .HostConfig,
    { PidMode: 'container:p', IpcMode: 'host' },
  );
  t.match(createOptions('device', spec({ processes: { type: 'host' } })).HostConfig, { PidMode: 'host' });
  t.match(
    createOptions('device', spec({ dropCapabilities: ['ALL'], noNewPrivileges: true, readOnlyRoot: true }))
      .HostConfig,
    {
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      ReadonlyRootfs: true,
    },
  );
});

t.test('the infra image is the same each time, for the machines that it knows', async (t) => {
  for (const [architecture, machine] of [
    ['x64', 0x3e],
    ['arm64', 0xb7],
  ] as const) {
    const root = infraRoot(architecture);
    t.ok(root.equals(infraRoot(architecture)));
    t.equal(root.length % 512, 0);
    t.equal(root.readUInt16LE(512 + 18), machine, 'the file behind the header is for that machine');
  }
  t.throws(() => infraRoot('mips'), /no infra program for "mips"/);
});

t.test('lines of a stream, whole, and its error where it is read', async (t) => {
  const stream = async function* (fails: boolean) {
    yield Buffer.from('on');
    yield Buffer.from('e\n\ntwo \xc3', 'latin1');
    yield Buffer.from('\xbc\nthr', 'latin1');
    if (fails) throw new Error('broken');
    yield Buffer.from('ee');
  };
  t.same(await Array.fromAsync(linesOf(stream(false))), ['one', 'two ü', 'three']);
  await t.rejects(Array.fromAsync(linesOf(stream(true))), /broken/);
});

t.test('payloads of a framed stream, however it is cut', async (t) => {
  const frame = (text: string) => {
    const header = Buffer.alloc(8);
    header[0] = 1;
    header.writeUInt32BE(text.length, 4);
    return Buffer.concat([header, Buffer.from(text)]);
  };
  const bytes = Buffer.concat([frame('one\n'), frame(''), frame('two\n'), frame('x'.repeat(300))]);
  for (const size of [1, 3, 7, 8, 9, 64, bytes.length]) {
    const pieces = async function* () {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    };
    const text = Buffer.concat(await Array.fromAsync(payloadsOf(pieces()))).toString();
    t.equal(text, `one\ntwo\n${'x'.repeat(300)}`, `in pieces of ${size}`);
  }
  t.equal(payloadIn(bytes).toString(), `one\ntwo\n${'x'.repeat(300)}`, 'at once');
  t.equal(payloadIn(bytes.subarray(0, 30)).toString(), 'one\ntw', 'as far as it is there');
});
