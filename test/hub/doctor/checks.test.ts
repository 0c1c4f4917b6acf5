import t from 'tap';
import { checkHub, type HubFacts } from '../../../hub/doctor/checks.ts';
import { exitCodeOf } from '../../../proto/diagnosis.ts';

const GIB = 1024 ** 3;
const dataDir = { path: '/data', freeBytes: GIB, totalBytes: 9 * GIB, exposed: [] };
const WELL: HubFacts = {
  nowMs: Date.UTC(2026, 5, 1),
  dataDir,
  ca: { fromMs: Date.UTC(2026, 0, 1), untilMs: Date.UTC(2046, 0, 1) },
  ports: [
    { name: 'API', port: 6443, holder: 'hub' },
    { name: 'gRPC', port: 6444, holder: 'hub' },
    { name: 'MQTT', port: 8883, holder: 'hub' },
  ],
  missingNames: [],
  isClockSynchronised: true,
  gitVersion: 'git version 2',
  openFiles: 1_048_576,
  memoryBytes: GIB,
};
const port = (facts: object) => ({
  ...WELL,
  ports: [{ name: 'API' as const, port: 6443, ...facts } as never],
});

t.test('a hub that is well', async (t) => {
  const findings = checkHub(WELL);
  t.ok(findings.every(({ level, advice }) => level === 'ok' && advice === undefined));
  t.equal(exitCodeOf(findings), 0);
});

t.test('each thing that can be wrong: where, how bad, what to do', async (t) => {
  const { gitVersion: _, ...noGit } = WELL;
  const rows: [string, HubFacts, string, 'warning' | 'problem', RegExp, RegExp][] = [
    ['settings', { ...WELL, settingsError: 'nonsense' }, 'settings', 'problem', /nonsense/, /config check/],
    [
      'full',
      { ...WELL, dataDir: { ...dataDir, freeBytes: 5e6 } },
      'data',
      'problem',
      /4 MiB free/,
      /refuses all writes/,
    ],
    [
      'not ours',
      { ...WELL, dataDir: { ...dataDir, error: 'EACCES' } },
      'data',
      'problem',
      /EACCES/,
      /user of the hub/,
    ],
    [
      ...(['open to others', { ...WELL, dataDir: { ...dataDir, exposed: ['/data/ca.json'] } }] as const),
      ...(['secrets', 'problem', /others may read \/data\/ca.json/, /chmod go-rwx \/data\/ca.json/] as const),
    ],
    ['an old CA', { ...WELL, nowMs: Date.UTC(2045, 11, 1) }, 'CA', 'problem', /until 2046-01-01/, /new hub/],
    ['a clock of 1970', { ...WELL, nowMs: 0 }, 'CA', 'problem', /younger/, /set the clock/],
    ['nobody', port({ holder: 'free' }), 'port 6443', 'warning', /nobody listens/, /systemctl start/],
    [
      'a low port',
      port({ port: 443, holder: 'forbidden', error: 'EACCES' }),
      'port 443',
      'problem',
      /EACCES/,
      /CAP_NET/,
    ],
    [
      'another',
      port({ holder: 'stranger' }),
      'port 6443',
      'problem',
      /another program has it$/,
      /--api-port/,
    ],
    ['a name', { ...WELL, missingNames: ['hub.x'] }, 'names', 'warning', /lacks hub.x/, /restart/],
    ['a free clock', { ...WELL, isClockSynchronised: false }, 'clock', 'warning', /no time server/, /chrony/],
    ['few files', { ...WELL, openFiles: 1024 }, 'files', 'warning', /about 824 devices/, /LimitNOFILE/],
    ['little memory', { ...WELL, memoryBytes: 1e8 }, 'memory', 'warning', /95 MiB/, /150 MiB/],
    ['no git', noGit, 'git', 'warning', /not installed/, /install/],
  ];
  for (const [name, facts, check, level, found, advice] of rows) {
    const findings = checkHub(facts);
    t.match(
      findings.find((each) => each.check === check),
      { level, found, advice },
      name,
    );
    t.equal(exitCodeOf(findings), level === 'problem' ? 1 : 0, name);
  }
});
