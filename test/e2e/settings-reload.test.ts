import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ApiClient } from '../../hub/cli/api-client.ts';
import { Engine } from '../support/engine.ts';
import { Program } from '../support/program.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/* Files of settings, and SIGHUP, with the real programs. */

const stop = (program: Program) => program.end('SIGTERM');

t.test('a hub takes over what it can, tells the rest, and goes on where a file is wrong', async (t) => {
  const dir = t.testdir();
  const [file, audit, kubeconfig] = ['hub.yaml', 'audit.log', 'kubeconfig'].map((name) => join(dir, name));
  if (!file || !audit || !kubeconfig) throw new Error('three files');
  const settings = (...more: string[]) =>
    writeFileSync(
      file,
      [
        `dataDir: ${join(dir, 'hub')}`,
        'bindAddress: 127.0.0.1',
        'apiPort: 0',
        'grpcPort: 0',
        'mqttPort: 0',
        `writeKubeconfig: ${kubeconfig}`,
        ...more,
      ].join('\n'),
    );
  settings('gateServers: [http://10.0.0.1:9090]', `auditLogPath: ${audit}`);
  const hub = new Program('hub/main.ts', ['hub', '--config', file]);
  t.teardown(() => stop(hub));
  await hub.line(/the hub is ready/);
  const api = ApiClient.fromKubeconfig(kubeconfig);
  const reload = async (pattern: RegExp) => {
    const from = hub.lines.length;
    process.kill(hub.pid, 'SIGHUP');
    return JSON.parse(await hub.line(pattern, from)) as Record<string, unknown>;
  };
  await api.call('GET', '/api/v1/namespaces/default');
  // What was answered is written a moment later.
  const isWritten = () => /"requestURI":"\/api\/v1\/namespaces\/default"/.test(readFileSync(audit, 'utf8'));
  t.ok(await until('it is in the audit log', isWritten));

  const policy = (url: string) =>
    api.call('POST', '/apis/fleet.holdfast.dev/v1/namespaces/default/rolloutpolicies?dryRun=All', {
      metadata: { name: 'measured' },
      spec: { gates: { measured: [{ name: 'm', prometheus: { url, query: '1', expression: 'true' } }] } },
    });
  await t.resolves(policy('http://10.0.0.1:9090'));
  await t.rejects(policy('http://10.0.0.2:9090'), { message: /gate-servers/ });

  settings('gateServers: [http://10.0.0.2:9090]', `auditLogPath: ${audit}`, 'logLevel: debug', 'tlsSan: [a]');
  renameSync(audit, `${audit}.1`); // as logrotate does
  t.same((await reload(/read anew/))['reloaded'], ['gateServers', 'logLevel']);
  t.same(JSON.parse(await hub.line(/next start/))['needRestart'], ['tlsSan']);
  await t.resolves(policy('http://10.0.0.2:9090'));
  await t.rejects(policy('http://10.0.0.1:9090'), { message: /gate-servers/ });
  t.ok(existsSync(audit), 'the audit log is written anew');
  t.notMatch(readFileSync(audit, 'utf8'), /namespaces\/default"/);

  settings('logLevel: loud', 'nonsense: 1');
  t.match(await reload(/all stay as they were/), { reason: /nonsense[\s\S]*logLevel must be one of/ });
  await t.resolves(policy('http://10.0.0.2:9090'));
});

t.test('an agent is told by its file, and reads it anew', async (t) => {
  const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
  const stand = new Stand(engine, 'mqtt', 'settings-reload');
  t.teardown(() => stand.close());
  await stand.start();
  await stand.agent.end();
  const file = join(stand.dir, 'agent.yaml');
  const settings = [
    `dataDir: ${stand.agentDir}`,
    `runDir: ${stand.runDir}`,
    `dockerHost: ${engine.host}`,
    'transport: mqtt',
    'nodeName: settings-reload',
    '',
  ].join('\n');
  writeFileSync(file, settings);
  const agent = new Program('agent/main.ts', ['run', '--config', file]);
  t.teardown(() => stop(agent));
  await agent.line(/connected to the hub/);
  const reload = (content: string) => {
    writeFileSync(file, content);
    process.kill(agent.pid, 'SIGHUP');
  };
  reload(`${settings}logLevel: debug\nhub: other.example\n`);
  t.match(JSON.parse(await agent.line(/read anew/)), { reloaded: ['logLevel'] });
  t.match(JSON.parse(await agent.line(/next start/)), { needRestart: ['hub'] });
  reload('logLevel: [');
  t.match(JSON.parse(await agent.line(/all stay as they were/)), { reason: /is no YAML: line 1/ });
  t.ok(agent.running);
});
