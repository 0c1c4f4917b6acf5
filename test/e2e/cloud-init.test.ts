import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { debianLayer } from '../../scripts/debian-layer.ts';
import { agentPackage, releaseKey } from '../support/device-hub.ts';
import { HubProgram } from '../support/hub-program.ts';
import { startSystemdMachine, WITH_DPKG, whyNoSystemd } from '../support/systemd.ts';
import { until } from '../support/until.ts';

/* Debian's cloud-init, started by systemd at a device's first boot, with what the documentation tells to give it. */

const SEED = 'var/lib/cloud/seed/nocloud';
const skip = whyNoSystemd() ?? false;

/** This machine's disk and network are not the device's to change. */
const NOT_OURS = {
  datasource_list: ['NoCloud'],
  network: { config: 'disabled' },
  growpart: { mode: 'off' },
  resize_rootfs: false,
  locale: false,
  ssh_genkeytypes: [], // which take seconds
};

/** A board whose maker gave it a number. */
const SERIAL = `
mount -t tmpfs none sys/firmware
mkdir -p sys/firmware/devicetree/base
printf '100000AB\\0' >sys/firmware/devicetree/base/serial-number
`;

/** The example of docs/install.md, with a hub, a token and a certificate that are there. */
async function userData(hub: HubProgram): Promise<string> {
  const [, example = ''] =
    /```yaml\n(#cloud-config\n[\s\S]*?)```/.exec(readFileSync('docs/install.md', 'utf8')) ?? [];
  const certificate = hub.caCertificate.trim().replaceAll('\n', '\n      ');
  return example
    .replace(/-----BEGIN CERTIFICATE-----\n +…/, certificate)
    .replace('https://hub.example:6443', hub.url)
    .replace('HF1…', await hub.token());
}

t.test('the documented user-data makes a device of a machine', { skip }, async (t) => {
  const hub = new HubProgram();
  t.teardown(() => hub.close());
  await hub.start();
  await hub.packages.add(await agentPackage(), releaseKey());
  const data = await userData(hub);
  t.notMatch(data, /…|example/, 'nothing of it is left open');
  const machine = await startSystemdMachine({
    engine: (process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock').replace('unix://', ''),
    packages: debianLayer('cloud-init'),
    mounts: `${WITH_DPKG.mounts}${SERIAL}`,
    prepare: (root) => {
      mkdirSync(join(root, SEED), { recursive: true });
      writeFileSync(join(root, SEED, 'user-data'), data);
      writeFileSync(join(root, SEED, 'meta-data'), 'instance-id: first\nlocal-hostname: press\n');
      writeFileSync(join(root, 'etc/cloud/cloud.cfg.d/99-test.cfg'), JSON.stringify(NOT_OURS));
    },
  });
  t.teardown(() => machine.close());
  t.match(await machine.run('cloud-init', 'schema', '--config-file', `/${SEED}/user-data`), { code: 0 });

  // As the package's own installation does.
  const stages = ['cloud-init-local', 'cloud-init', 'cloud-config', 'cloud-final'];
  t.match(await machine.run('systemctl', 'enable', ...stages), { code: 0 });
  const started = await machine.run('systemctl', 'start', 'cloud-init.target');
  const log = readFileSync(join(machine.root, 'var/log/cloud-init-output.log'), 'utf8');
  t.equal(started.code, 0);
  t.match(await machine.run('cloud-init', 'status'), { code: 0, out: 'status: done\n' });
  if (!t.passing()) t.comment(log);
  t.match(log, /press-100000ab is connected to 127\.0\.0\.1/);
  await until('the hub knows it', () => hub.api.find('/api/v1/nodes/press-100000ab'));
  t.match(await machine.run('systemctl', 'is-enabled', 'holdfast-agent'), { out: 'enabled\n' });
  t.match(await machine.run('holdfast-agent-uninstall'), { code: 0, err: [] });
});
