import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { signingKey } from '../../scripts/package/minisign-key.ts';
import { askAgent } from '../support/ask-agent.ts';
import { agentPackage, releaseKey } from '../support/device-hub.ts';
import { HubProgram } from '../support/hub-program.ts';
import { first, type ReleaseMaking, Releases } from '../support/releases.ts';
import { startSystemdMachine, whyNoSystemd } from '../support/systemd.ts';
import { until } from '../support/until.ts';

/* Updates under a real systemd: it starts what the launcher picks, and its unit needs nothing more. */

const NODE = 'agent-update-systemd';
const LONGEST_SILENCE_MS = 10_000;
const skip = whyNoSystemd() ?? false;

t.test('a good one, one that hangs', { skip }, async (t) => {
  const work = t.testdir();
  const hub = new HubProgram();
  t.teardown(() => hub.close());
  await hub.start();
  await hub.packages.add(await agentPackage(), releaseKey());
  const releases = await Releases.of(signingKey().publicKey);
  const publish = (making: ReleaseMaking) =>
    hub.packages.add(releases.write(work, signingKey(), making), releaseKey());
  const engine = (process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock').replace('unix://', '');
  const machine = await startSystemdMachine({ engine });
  t.teardown(() => machine.close());
  writeFileSync(join(machine.root, 'etc/ca.crt'), hub.caCertificate);
  const token = await hub.token();
  const line = `curl -sfL --cacert /etc/ca.crt ${hub.url}/install.sh | HOLDFAST_TOKEN=${token} HOLDFAST_NODE_NAME=${NODE} sh -`;
  t.match(await machine.run('sh', '-c', line), { code: 0 });

  const node = () =>
    hub.api.call<{
      status: {
        nodeInfo: { kubeletVersion: string };
        conditions: { type: string; status: string; reason: string }[];
      };
    }>('GET', `/api/v1/nodes/${NODE}`);
  const accepted = async () =>
    (await node()).status.conditions.find(({ type }) => type.endsWith('/AgentAccepted'));
  const isActive = async () => (await machine.run('systemctl', 'is-active', 'holdfast-agent')).out.trim();
  const connected = async () => (await machine.run('holdfast-agent', 'status')).out.includes('connected to');

  await publish({ version: '0.2.0' });
  const pid = async () =>
    (await machine.run('systemctl', 'show', '--property=MainPID', '--value', 'holdfast-agent')).out.trim();
  const before = await pid();
  await askAgent(hub, NODE, { id: 'good', version: '0.2.0' });
  await until('the old one has ended', async () => (await pid()) !== before);
  const endedAt = performance.now();
  await until('the new one is connected', async () => (await pid()) !== '0' && (await connected()));
  const silentMs = Math.round(performance.now() - endedAt);
  t.ok(silentMs < LONGEST_SILENCE_MS, `${silentMs} ms without status`);
  t.comment(`${silentMs} ms without status`);
  await until('it is accepted', async () => (await accepted())?.status === 'True');
  t.equal((await node()).status.nodeInfo.kubeletVersion, 'v0.2.0');
  t.equal(await isActive(), 'active');

  const hang = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);';
  await publish({ version: '0.3.0', program: first(hang) });
  await askAgent(hub, NODE, { id: 'bad', version: '0.3.0' });
  await until('it is rejected', async () => (await accepted())?.status === 'False', 60_000);
  t.equal((await accepted())?.reason, 'Hung');
  t.equal((await node()).status.nodeInfo.kubeletVersion, 'v0.2.0');
  t.equal(await isActive(), 'active');
  t.match(await machine.run('holdfast-agent-uninstall'), { code: 0, err: [] });
});
