import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { monotonicMs } from '../../../agent/monotonic.ts';
import { BareNetworks, isNetwork } from '../../../agent/runtime/bare-networks.ts';
import {
  bareNetworkId,
  isBareNetwork,
  linkName,
  networkFileOf,
} from '../../../agent/runtime/network-name.ts';
import type { ContainerIdentity } from '../../../agent/runtime/runtime.ts';

/* Networks that are nothing else: the kernel's own, and what is told of them. */

const identity = (podUid: string): ContainerIdentity => ({
  ...{ role: 'infra', podUid, podNamespace: 'default', podName: 'p', container: '', attempt: 2, infra: '' },
  ...{ specHash: '', crashes: 0, graceSeconds: 1, podSinceMs: 7, podIp: '10.9.8.7', podDevices: '' },
});
const isRoot = process.getuid?.() === 0;

t.test('a network that is nothing else', { skip: !isRoot && 'only root makes networks' }, async (t) => {
  const dir = join(t.testdir(), 'networks');
  const uid = `test-${process.pid}`;
  const id = bareNetworkId(uid, 2);
  const path = networkFileOf(id);
  t.teardown(() => new BareNetworks(dir, monotonicMs).remove(id));
  const networks = new BareNetworks(dir, monotonicMs);
  t.same(await networks.list(), [], 'none');
  t.equal(await networks.create(identity(uid)), id);
  t.ok(isBareNetwork(id));
  t.equal(statSync(dir).mode & 0o777, 0o700);
  t.match(await networks.inspect(id), { ...identity(uid), id, state: 'created', ip: '', networkFile: path });
  t.notOk(await isNetwork(path));

  // As an agent that was cut off in the middle would leave it.
  mkdirSync('/run/netns', { recursive: true });
  writeFileSync(path, '');
  await networks.start(id);
  t.ok(await isNetwork(path));
  t.match(await networks.inspect(id), { state: 'running', ip: '10.9.8.7', makesNetwork: true, pid: 0 });
  await networks.start(id);
  t.ok(await isNetwork(path), 'once more: nothing happens');

  writeFileSync(join(dir, 'cut-off.json.new'), '{"ident');
  writeFileSync(join(dir, 'garbage.json'), 'x');
  const later = new BareNetworks(dir, monotonicMs); // of another agent
  t.match(await later.list(), [{ id, state: 'running' }]);
  t.same(readdirSync(dir).sort(), ['garbage.json', `${linkName(id)}.json`], 'parts are swept up');

  execFileSync('ip', [
    'link',
    'add',
    linkName(id),
    'type',
    'veth',
    'peer',
    'name',
    'eth0',
    'netns',
    linkName(id),
  ]);
  await later.end(id);
  t.notOk(existsSync(path));
  t.notOk(existsSync(`/sys/class/net/${linkName(id)}`), 'with its link');
  t.match(await later.inspect(id), { state: 'exited', ip: '' });
  await later.remove(id);
  await later.remove(id);
  t.equal(await later.inspect(id), undefined);
  await t.rejects(later.start(id), /there is no/);
});
