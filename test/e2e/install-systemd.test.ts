import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { agentPackage, releaseKey } from '../support/device-hub.ts';
import { HubProgram } from '../support/hub-program.ts';
import { startSystemdMachine, whyNoSystemd } from '../support/systemd.ts';
import { until } from '../support/until.ts';

/* The line of the documentation on a machine that a real systemd runs, without any prefix. */

const skip = whyNoSystemd() ?? false;

t.test(
  'installed, restarted when it is killed, upgraded with nothing to do, removed',
  { skip },
  async (t) => {
    const hub = new HubProgram();
    t.teardown(() => hub.close());
    await hub.start();
    await hub.packages.add(await agentPackage(), releaseKey());
    const engine = (process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock').replace('unix://', '');
    const machine = await startSystemdMachine({ engine });
    t.teardown(() => machine.close());
    writeFileSync(join(machine.root, 'etc/ca.crt'), hub.caCertificate);
    const token = await hub.token();
    const install = (env: string) =>
      machine.run('sh', '-c', `curl -sfL --cacert /etc/ca.crt ${hub.url}/install.sh | ${env} sh -`);
    const systemctl = (...args: string[]) => machine.run('systemctl', ...args, 'holdfast-agent');
    const pid = async () => (await systemctl('show', '--property=MainPID', '--value')).out.trim();

    const { code, out, err } = await install(`HOLDFAST_TOKEN=${token} HOLDFAST_NODE_NAME=install-systemd`);
    t.same([code, err], [0, []], out);
    t.match(out, /install-systemd is connected to 127\.0\.0\.1/);
    t.match(await systemctl('is-active'), { out: 'active\n' });
    t.match(await systemctl('is-enabled'), { out: 'enabled\n' });
    t.notOk(existsSync(join(machine.root, 'etc/holdfast/agent.yaml')), 'the defaults fit');

    const before = await pid();
    t.match(await install(''), { code: 0, err: [], out: /nothing was changed/ });
    t.equal(await pid(), before);
    await machine.run('kill', '-9', before);
    await until('it is back', async () =>
      (await machine.run('holdfast-agent', 'status')).out.includes('connected to'),
    );
    t.not(await pid(), before);

    t.match(await machine.run('holdfast-agent-uninstall'), {
      code: 0,
      err: [],
      out: /holdfast-agent is removed/,
    });
    t.match(await systemctl('is-active'), { out: 'inactive\n' });
    t.notOk(existsSync(join(machine.root, 'etc/systemd/system/holdfast-agent.service')));
    t.notOk(existsSync(join(machine.root, 'var/lib/holdfast')));
    t.notOk(existsSync(join(machine.root, 'etc/holdfast')));
  },
);
