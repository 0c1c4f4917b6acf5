import t from 'tap';
import { checkDevice, type DeviceFacts } from '../../../agent/doctor/checks.ts';
import { exitCodeOf, formatFindings } from '../../../proto/diagnosis.ts';

const GIB = 1024 ** 3;
const room = (path: string, freeBytes = 5 * GIB) => ({
  path,
  freeBytes,
  totalBytes: 10 * GIB,
  isInMemory: false,
});
const WELL: DeviceFacts = {
  nowMs: Date.UTC(2026, 5, 1),
  isRoot: true,
  dataDir: room('/data'),
  runDir: { ...room('/run'), isInMemory: true },
  engine: {
    ...{ host: 'unix:///docker.sock', name: 'Engine', version: '24.0', apiVersion: '1.43' },
    ...{ hasMemoryLimit: true, hasPidsLimit: true, hasCpuQuota: true, cgroupVersion: '2' },
    ...{ storageDriver: 'overlay2', rootDir: room('/docker') },
  },
  identity: {
    ...{ node: 'press-1', host: 'hub.example' },
    certificate: { fromMs: Date.UTC(2026, 0, 1), untilMs: Date.UTC(2036, 0, 1) },
  },
  isClockSynchronised: true,
  names: { addresses: ['10.0.0.1'] },
  ports: [
    { name: 'MQTT', port: 8883, ms: 3.4 },
    { name: 'gRPC', port: 6444, ms: 4 },
  ],
  agent: { connected: true, transport: 'mqtt' },
};

t.test('a device that is well', async (t) => {
  const findings = checkDevice(WELL);
  t.ok(findings.every(({ level, advice }) => level === 'ok' && advice === undefined));
  t.equal(exitCodeOf(findings), 0);
  t.match(
    formatFindings(findings),
    /\nok {7}MQTT {6}hub.example:8883 answers within 3 ms\n[\s\S]*\n0 problems, 0 warnings$/,
  );
});

t.test('each thing that can be wrong: where, how bad, what to do', async (t) => {
  const { identity: _, ...stranger } = WELL;
  const { agent: __, ...idle } = WELL;
  const { engine } = WELL;
  const failed = { error: 'connect ECONNREFUSED' };
  const rows: [string, DeviceFacts, string, 'warning' | 'problem', RegExp, RegExp][] = [
    ['settings', { ...WELL, settingsError: 'nonsense' }, 'settings', 'problem', /nonsense/, /config check/],
    ['another user', { ...WELL, isRoot: false }, 'user', 'warning', /not root/, /as root/],
    [
      'a full disk',
      { ...WELL, dataDir: room('/data', 1e6) },
      'data',
      'problem',
      /0 MiB free of 10240/,
      /room/,
    ],
    [
      'a nearly full disk',
      { ...WELL, dataDir: room('/data', 0.4 * GIB) },
      'data',
      'problem',
      /409 MiB/,
      /room/,
    ],
    ['read-only', { ...WELL, dataDir: { path: '/d', error: 'EROFS' } }, 'data', 'problem', /EROFS/, /mount/],
    ['run on disk', { ...WELL, runDir: room('/run') }, 'run', 'warning', /on a disk/, /tmpfs/],
    [
      'run not ours',
      { ...WELL, runDir: { path: '/r', error: 'EACCES' } },
      'run',
      'problem',
      /EACCES/,
      /whose/,
    ],
    [
      ...(['no engine', { ...WELL, engine: { host: 'h', error: 'ENOENT x', code: 'ENOENT' } }] as const),
      ...(['engine', 'problem', /ENOENT/, /docker.io/] as const),
    ],
    [
      ...(['an engine of others', { ...WELL, engine: { host: 'h', error: 'no', code: 'EACCES' } }] as const),
      ...(['engine', 'problem', /no/, /as root/] as const),
    ],
    [
      ...(['an engine that is down', { ...WELL, engine: { host: 'h', error: 'no' } }] as const),
      ...(['engine', 'problem', /no/, /systemctl start/] as const),
    ],
    [
      ...(['an old engine', { ...WELL, engine: { ...engine, apiVersion: '1.39' } }] as const),
      ...(['engine', 'problem', /API 1.39/, /20.10/] as const),
    ],
    [
      ...(['no memory limits', { ...WELL, engine: { ...engine, hasMemoryLimit: false } }] as const),
      ...(['limits', 'warning', /no memory of/, /cgroup_enable=memory/] as const),
    ],
    [
      ...([
        'no others',
        { ...WELL, engine: { ...engine, hasPidsLimit: false, hasCpuQuota: false } },
      ] as const),
      ...(['limits', 'warning', /no CPU, no processes/, /another kernel/] as const),
    ],
    [
      'a clock of 1970',
      { ...WELL, nowMs: 0 },
      'clock',
      'problem',
      /1970.*before this device joined/,
      /date -s/,
    ],
    ['a free clock', { ...WELL, isClockSynchronised: false }, 'clock', 'warning', /no time server/, /chrony/],
    ['not joined', { ...stranger, ports: [] }, 'hub', 'problem', /not joined/, /token create/],
    [
      'an old identity',
      { ...WELL, nowMs: Date.UTC(2037, 0) },
      'identity',
      'problem',
      /until 2036/,
      /replace/,
    ],
    [
      'no name',
      { ...WELL, names: { addresses: [], error: 'ENOTFOUND' } },
      'names',
      'problem',
      /ENOTFOUND/,
      /resolv/,
    ],
    [
      ...(['one port', { ...WELL, ports: [{ name: 'MQTT', port: 1, ...failed }, WELL.ports[1]] }] as never[]),
      ...(['MQTT', 'warning', /ECONNREFUSED/, /over gRPC/] as const),
    ] as never,
    [
      ...(['no port', { ...WELL, ports: [{ name: 'gRPC', port: 1, ...failed }] }] as const),
      ...(['gRPC', 'problem', /ECONNREFUSED/, /firewalls/] as const),
    ],
    ['no agent', idle, 'agent', 'warning', /does not run/, /systemctl start/],
    [
      ...(['cut off', { ...WELL, agent: { connected: false, error: 'timeout' } }] as const),
      ...(['agent', 'warning', /not connected: timeout/, /pods run on/] as const),
    ],
  ];
  for (const [name, facts, check, level, found, advice] of rows) {
    const findings = checkDevice(facts);
    t.match(
      findings.find((each) => each.check === check),
      { level, found, advice },
      name,
    );
    t.equal(exitCodeOf(findings), level === 'problem' ? 1 : 0, name);
  }
});
