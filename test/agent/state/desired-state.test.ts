import { generateKeyPairSync } from 'node:crypto';
import { cpSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import t from 'tap';
import { AgentState, type Identity } from '../../../agent/state/agent-state.ts';
import { DesiredState } from '../../../agent/state/desired-state.ts';
import { newSealingKey, seal } from '../../../proto/seal.ts';
import { compressObjects, encodeObjects, formatVersion, signSnapshot } from '../../../proto/snapshot.ts';
import { makePod } from '../builders.ts';

const log = pino({ level: 'silent' });
const hub = generateKeyPairSync('ed25519');
const stranger = generateKeyPairSync('ed25519');
const sealing = newSealingKey();
const identity: Identity = {
  cluster: 'c1',
  node: 'device',
  hub: { host: 'hub', grpcPort: 1, mqttPort: 2 },
  caCertificate: '',
  certificate: '',
  key: '',
  sealingKey: sealing.key,
  snapshotKey: hub.publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
};

const configMap = (value: string) => ({
  kind: 'ConfigMap',
  metadata: { namespace: 'default', name: 'conf' },
  data: { value },
});
const secret = { kind: 'Secret', metadata: { namespace: 'default', name: 'sec' }, data: { key: 'dmFsdWU=' } };
const user = makePod(
  { containers: [{ name: 'main', image: 'web:1', envFrom: [{ configMapRef: { name: 'conf' } }] }] },
  { uid: 'user', name: 'user' },
);
const named = (pod: object) => pod as { kind: string; metadata: { name: string } };

function snapshot(
  revision: number,
  objects: object[] = [makePod()],
  rest: object = {},
  key = hub.privateKey,
) {
  return signSnapshot(
    {
      cluster: 'c1',
      node: 'device',
      version: { epoch: 1n, revision: BigInt(revision) },
      objects: compressObjects(encodeObjects(objects.map(named))),
      sealedObjects: seal(compressObjects(encodeObjects([secret])), sealing.publicKey),
      ...rest,
    },
    key,
  );
}

function open(dir: string) {
  const state = AgentState.open(dir, log);
  if (!state.identity()) state.saveIdentity(identity);
  return { state, desired: DesiredState.load(state, state.identity() ?? identity, log) };
}

t.test('a snapshot is held once it is stored, and still after a restart', async (t) => {
  const dir = t.testdir();
  const { desired } = open(dir);
  t.equal(desired.version, undefined);
  t.same([...desired.accept(snapshot(1))], ['uid-web']);
  const copy = `${dir}-copy`;
  t.teardown(() => rmSync(copy, { recursive: true }));
  cpSync(dir, copy, { recursive: true }); // the first was never closed: what a kill would leave
  const again = open(copy).desired;
  t.equal(formatVersion(again.version), '1.1');
  t.equal(again.pods.get('uid-web')?.metadata.name, 'web');
  t.same(again.secret('default', 'sec')?.data, { key: 'dmFsdWU=' });
});

t.test('what is refused, and why; and everything is as before', async (t) => {
  const { desired } = open(t.testdir());
  desired.accept(snapshot(5));
  const cases: [string, ReturnType<typeof snapshot>, RegExp][] = [
    ['older', snapshot(4), /snapshot 1\.4 is older than 1\.5/],
    ['of an older epoch', snapshot(9, [], { version: { epoch: 0n, revision: 9n } }), /older than 1\.5/],
    ['signed by another', snapshot(6, [], {}, stranger.privateKey), /not signed by the hub/],
    ['for another node', snapshot(6, [], { node: 'other' }), /for node "other"/],
    ['of another cluster', snapshot(6, [], { cluster: 'c2' }), /of cluster "c2"/],
    ['without a version', snapshot(6, [], { version: undefined }), /has no version/],
    ['of garbage', snapshot(6, [], { objects: Buffer.from('garbage') }), /do not decode/],
    [
      'sealed to another',
      snapshot(6, [], { sealedObjects: seal(Buffer.from(''), newSealingKey().publicKey) }),
      /not sealed to this device/,
    ],
  ];
  for (const [what, offered, message] of cases)
    t.throws(() => desired.accept(offered), { name: 'SnapshotRefused', message }, what);
  const forged = snapshot(6);
  forged.snapshot = Buffer.concat([forged.snapshot, Buffer.from([0])]);
  t.throws(() => desired.accept(forged), /not signed by the hub/, 'changed on its way');
  t.equal(formatVersion(desired.version), '1.5');
  t.ok(desired.pods.has('uid-web'));
});

t.test('the one that is held changes nothing; a new epoch is newer', async (t) => {
  const { desired } = open(t.testdir());
  desired.accept(snapshot(5));
  t.same([...desired.accept(snapshot(5))], []);
  desired.accept(snapshot(1, [], { version: { epoch: 2n, revision: 1n } }));
  t.equal(formatVersion(desired.version), '2.1');
});

t.test('it says which pods a snapshot changes', async (t) => {
  const { desired } = open(t.testdir());
  const other = makePod({}, { uid: 'other', name: 'other' });
  desired.accept(snapshot(1, [makePod(), user, other, configMap('1')]));
  t.same(
    [...desired.accept(snapshot(2, [makePod(), user, other, configMap('2')]))],
    ['user'],
    'its configuration',
  );
  t.same(
    [...desired.accept(snapshot(3, [makePod({ hostNetwork: true }), user, other, configMap('2')]))],
    ['uid-web'],
    'its spec',
  );
  t.same(
    [...desired.accept(snapshot(4, [makePod({ hostNetwork: true }), user, configMap('2')]))],
    ['other'],
    'its absence',
  );
});

t.test('the last two snapshots are files too; private to root', async (t) => {
  const dir = t.testdir();
  const { desired } = open(dir);
  for (const revision of [1, 2, 3]) desired.accept(snapshot(revision));
  const files = readdirSync(join(dir, 'snapshots')).sort();
  t.same(
    files.map((name) => Number(name.slice(21, 41))),
    [2, 3],
  );
  for (const name of files) t.equal(statSync(join(dir, 'snapshots', name)).mode & 0o777, 0o600);
  for (const name of ['identity.json', 'agent.db', 'agent.db-wal']) {
    t.equal(statSync(join(dir, name)).mode & 0o777, 0o600, name);
  }
});

t.test('a database of garbage is put aside, and made anew from the files', async (t) => {
  const dir = t.testdir();
  const { desired, state } = open(dir);
  desired.accept(snapshot(7));
  state.close();
  writeFileSync(join(dir, 'agent.db'), 'this is not a database'.repeat(1000));
  for (const suffix of ['-wal', '-shm']) rmSync(join(dir, `agent.db${suffix}`), { force: true });
  const rebuilt = AgentState.open(dir, log);
  t.same(rebuilt.identity(), identity);
  t.equal(formatVersion(DesiredState.load(rebuilt, identity, log).version), '1.7');
  t.equal(readdirSync(dir).filter((name) => name.startsWith('agent.db.damaged-')).length, 1);
});

t.test('of damaged files the newest good one counts', async (t) => {
  const dir = t.testdir();
  const { desired, state } = open(dir);
  desired.accept(snapshot(1));
  desired.accept(snapshot(2));
  state.close();
  rmSync(join(dir, 'agent.db'));
  const [, newest = ''] = readdirSync(join(dir, 'snapshots')).sort();
  writeFileSync(join(dir, 'snapshots', newest), 'cut');
  t.equal(formatVersion(open(dir).desired.version), '1.1');
});

t.test('what is asked of the device itself comes and goes with snapshots', async (t) => {
  const { desired } = open(t.testdir());
  t.equal(desired.node, undefined);
  const node = { kind: 'Node', metadata: { name: 'device', annotations: { asked: 'something' } } };
  t.same([...desired.accept(snapshot(1, [makePod(), node]))], ['uid-web']);
  t.same(desired.node, node);
  t.same([...desired.accept(snapshot(2))], [], 'no pod changes with it');
  t.equal(desired.node, undefined);
});
