import { copyFileSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import t, { type Test } from 'tap';
import { ApiClient } from '../../hub/cli/api-client.ts';
import type { GitSourceObject } from '../../hub/fleet/git-source.ts';
import { agentPackage, hubDebianPackage } from '../support/device-hub.ts';
import { freePort } from '../support/free-port.ts';
import { GitServer } from '../support/git-server.ts';
import type { Machine } from '../support/machine.ts';
import { startSystemdMachine, WITH_DPKG, whyNoSystemd } from '../support/systemd.ts';
import { until } from '../support/until.ts';

/* The hub's Debian package on a machine that a real systemd runs, with all that its unit takes from it. */

const DATA = 'var/lib/holdfast/hub';
const AUDIT = '/var/log/holdfast/audit.log';
const IN_DEFAULT = '/api/v1/namespaces/default';
const MAPS = `${IN_DEFAULT}/configmaps`;
const SOURCES = '/apis/fleet.holdfast.dev/v1/namespaces/default/gitsources';
const skip = whyNoSystemd() ?? false;

type Ports = Readonly<Record<'apiPort' | 'grpcPort' | 'mqttPort', number>>;

/** The hub of that machine, as its administrator sees it. */
class InstalledHub {
  readonly machine: Machine;
  readonly #ports: Ports;

  constructor(machine: Machine, ports: Ports) {
    this.machine = machine;
    this.#ports = ports;
  }

  get url(): string {
    return `https://127.0.0.1:${this.#ports.apiPort}`;
  }

  writeSettings(more: object = {}): void {
    const settings = { bindAddress: '127.0.0.1', ...this.#ports, ...more };
    writeFileSync(this.at('etc/holdfast/hub.yaml'), JSON.stringify(settings));
  }

  at(path: string): string {
    return join(this.machine.root, path);
  }

  systemctl(...args: string[]) {
    return this.machine.run('systemctl', ...args, 'holdfast-hub');
  }

  async property(name: string): Promise<string> {
    return (await this.systemctl('show', `--property=${name}`, '--value')).out.trim();
  }

  async journal(): Promise<string> {
    return (await this.machine.run('journalctl', '--output=cat', '-u', 'holdfast-hub')).out;
  }

  /** Resolves when it answers. */
  api(): Promise<ApiClient> {
    return until('the hub answers', async () => {
      const api = ApiClient.fromKubeconfig(this.at(`${DATA}/kubeconfig.yaml`));
      await api.text('GET', '/readyz');
      return api;
    }).catch(async (error: unknown) => {
      throw new Error(await this.journal(), { cause: error });
    });
  }
}

t.test('installed, started, restarted, killed, reloaded, stopped, purged', { skip }, async (t) => {
  const machine = await startSystemdMachine(WITH_DPKG);
  t.teardown(() => machine.close());
  const ports = { apiPort: await freePort(), grpcPort: await freePort(), mqttPort: await freePort() };
  const hub = new InstalledHub(machine, ports);

  copyFileSync(await hubDebianPackage(), hub.at('holdfast.deb'));
  t.match(await machine.run('dpkg', '-i', '/holdfast.deb'), { code: 0 });
  hub.writeSettings();
  t.match(await hub.systemctl('enable', '--now'), { code: 0 });
  await (await hub.api()).call('POST', MAPS, { metadata: { name: 'kept' }, data: { is: 'here' } });
  const isKept = async () => {
    const { data } = await (await hub.api()).call<{ data: object }>('GET', `${MAPS}/kept`);
    t.same(data, { is: 'here' });
  };
  t.equal(statSync(hub.at(DATA)).mode & 0o777, 0o700);
  t.not(statSync(hub.at(`${DATA}/hub.db`)).uid, 0, 'it is not root');

  const started = await hub.property('MainPID');
  t.match(await hub.systemctl('restart'), { code: 0 });
  await isKept();
  const restarted = await hub.property('MainPID');
  t.not(restarted, started);
  t.notMatch(await hub.journal(), /Failed with result|SIGKILL/, 'it has ended by itself, and well');
  await machine.run('kill', '-9', restarted);
  await until('it is back', async () => !['0', restarted].includes(await hub.property('MainPID')));
  await isKept();
  t.equal(await hub.property('NRestarts'), '1');

  await t.test('it takes over settings, and writes where logs are', async (t) => {
    const pid = await hub.property('MainPID');
    hub.writeSettings({ auditLogPath: AUDIT, tlsSan: ['hub.example'] });
    t.match(await hub.systemctl('reload'), { code: 0 });
    await until('it has read them', async () => /read anew/.test(await hub.journal()));
    await isKept();
    t.equal(await hub.property('MainPID'), pid);
    t.ok(statSync(hub.at(AUDIT)).size > 0);
    t.match(await hub.journal(), /"needRestart":\["tlsSan"\]/);
  });
  await t.test('root gives it commands and packages', (t) => commands(t, hub));
  await t.test('it follows a repository, with the git of the machine', (t) => repository(t, hub));

  t.match(await hub.systemctl('stop'), { code: 0 });
  t.equal(await hub.property('Result'), 'success');
  t.equal(await hub.property('ActiveState'), 'inactive');
  t.match(await machine.run('dpkg', '--purge', 'holdfast'), { code: 0 });
  t.notOk(existsSync(hub.at(DATA)));
});

async function commands(t: Test, hub: InstalledHub): Promise<void> {
  const holdfast = (...args: string[]) => hub.machine.run('holdfast', ...args);
  t.match(await holdfast('token', 'create'), { code: 0, out: /^HF1/ });
  t.match(await holdfast('doctor'), { code: 0 });
  const agent = await agentPackage();
  const name = basename(agent);
  mkdirSync(hub.at('packages'));
  for (const file of [agent, `${agent}.minisig`]) copyFileSync(file, hub.at(`packages/${basename(file)}`));
  t.match(await holdfast('packages', 'add', `/packages/${name}`), { code: 0, err: [] });
  const api = await hub.api();
  writeFileSync(hub.at('ca.crt'), api.caCertificate);
  const download = ['-sf', '--cacert', '/ca.crt', '-o', '/dev/null', '-w', '%{size_download}'];
  const { out } = await hub.machine.run('curl', ...download, `${hub.url}/packages/${name}`);
  t.equal(Number(out), statSync(agent).size, 'the hub can read what root has added');
}

async function repository(t: Test, hub: InstalledHub): Promise<void> {
  const server = await GitServer.start();
  t.teardown(() => server.close());
  const api = await hub.api();
  const served = server.repository('fleet');
  const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'followed' } };
  const revision = served.commit({ 'map.json': map });
  await api.call('POST', `${IN_DEFAULT}/secrets`, {
    metadata: { name: 'https' },
    stringData: { ...server.credentials, 'ca.crt': server.certificate },
  });
  await api.call('POST', `${IN_DEFAULT}/serviceaccounts`, { metadata: { name: 'deployer' } });
  await api.call('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: 'deployer' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ kind: 'ServiceAccount', name: 'deployer', namespace: 'default' }],
  });
  await api.call('POST', SOURCES, {
    metadata: { name: 'fleet' },
    spec: {
      ...{ url: server.httpsUrl(served), interval: '1h' },
      ...{ secretRef: { name: 'https' }, serviceAccountName: 'deployer' },
    },
  });
  const status = async () => (await api.call<GitSourceObject>('GET', `${SOURCES}/fleet`)).status;
  await until('it is applied', async () => (await status())?.lastAppliedRevision === revision).catch(
    async (error: unknown) => {
      throw new Error(JSON.stringify(await status()), { cause: error });
    },
  );
  t.ok(await api.find(`${MAPS}/followed`));
}
