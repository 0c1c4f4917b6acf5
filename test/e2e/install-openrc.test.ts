import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { agentPackage, releaseKey } from '../support/device-hub.ts';
import { HubProgram } from '../support/hub-program.ts';
import { startOpenRcMachine, whyNoOpenRc } from '../support/openrc.ts';
import { until } from '../support/until.ts';

/* The line of the documentation on a machine that Debian's init and OpenRC have started. */

const NODE = 'install-openrc';
const skip = whyNoOpenRc() ?? false;

t.test('installed, in the runlevel, restarted when it is killed, reloaded, removed', { skip }, async (t) => {
  const hub = new HubProgram();
  t.teardown(() => hub.close());
  await hub.start();
  await hub.packages.add(await agentPackage(), releaseKey());
  const engine = (process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock').replace('unix://', '');
  const machine = await startOpenRcMachine(engine);
  t.teardown(() => machine.close());
  const at = (path: string) => join(machine.root, path);
  writeFileSync(at('etc/ca.crt'), hub.caCertificate);
  const token = await hub.token();
  const install = (env: string) =>
    machine.run('sh', '-c', `curl -sfL --cacert /etc/ca.crt ${hub.url}/install.sh | ${env} sh -`);
  const service = (verb: string) => machine.run('rc-service', 'holdfast-agent', verb);
  const log = () => readFileSync(at('var/log/holdfast-agent.log'), 'utf8');
  const pid = async () => (await machine.run('pgrep', '-f', 'agent.mjs run')).out.trim();
  const connected = async () => (await machine.run('holdfast-agent', 'status')).out.includes('connected to');

  const settings = at('etc/conf.d/holdfast-agent');
  mkdirSync(dirname(settings), { recursive: true });
  writeFileSync(settings, 'rc_need=no-such\n');
  const refused = await install(`HOLDFAST_TOKEN=${token} HOLDFAST_NODE_NAME=${NODE}`);
  t.match(refused, { code: 1, err: [/can not be started: holdfast-agent needs service\(s\) no-such/] });
  t.notOk(existsSync(at('etc/init.d/holdfast-agent')));
  rmSync(settings);

  // It has joined, and is the device that it was.
  const { code, out, err } = await install('');
  t.same([code, err], [0, []], out);
  t.match(out, `${NODE} is connected to 127.0.0.1`);
  t.match(await service('status'), { code: 0, out: /status: started/ });
  t.match(await machine.run('rc-update', 'show', 'default'), { out: /^ *holdfast-agent \|/m });
  t.notOk(existsSync(at('etc/holdfast/agent.yaml')), 'the defaults fit');

  const installed = await pid();
  t.match(await install(''), { code: 0, err: [], out: /nothing was changed/ });
  t.equal(await pid(), installed);
  await machine.run('kill', '-9', installed);
  await until('it is back', async () => ![installed, ''].includes(await pid()) && (await connected()));

  writeFileSync(at('etc/holdfast/agent.yaml'), 'logLevel: debug\n');
  const reloaded = await pid();
  t.match(await service('reload'), { code: 0 });
  await until('it has read its settings', () => /"reloaded":\["logLevel"\]/.test(log()));
  t.equal(await pid(), reloaded);

  t.match(await service('restart'), { code: 0 });
  await until('it is another one', async () => ![reloaded, ''].includes(await pid()) && (await connected()));
  t.match(await service('stop'), { code: 0 });
  t.equal(await pid(), '', 'nothing is left');
  // What the runlevel has is started with the machine.
  t.match(await machine.run('openrc', 'default'), { code: 0 });
  await until('it is started', connected);

  t.match(await machine.run('holdfast-agent-uninstall'), {
    code: 0,
    err: [],
    out: /holdfast-agent is removed/,
  });
  t.equal(await pid(), '');
  t.notMatch((await machine.run('rc-update', 'show')).out, /holdfast/);
  for (const path of ['etc/init.d/holdfast-agent', 'var/lib/holdfast', 'var/log/holdfast-agent.log'])
    t.notOk(existsSync(at(path)), path);
});
