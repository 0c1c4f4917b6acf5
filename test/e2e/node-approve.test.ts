import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { enrol } from '../../agent/link/enrol.ts';
import { ApiClient } from '../../hub/cli/api-client.ts';
import { parseJoinToken } from '../../proto/join-token.ts';
import { kubectlPath } from '../../scripts/kubectl.ts';
import { Holdfast } from '../support/holdfast.ts';
import { Program } from '../support/program.ts';
import { until } from '../support/until.ts';

/* Devices that wait until somebody approves them: real hub, real agents, holdfast and kubectl. */

const dir = t.testdir();
const kubeconfig = join(dir, 'kubeconfig.yaml');
let ports = { api: 0, grpc: 0, mqtt: 0 };
let hub: Program;
const programs: Program[] = [];
t.teardown(() => Promise.all([...programs, hub].map((program) => program.end('SIGKILL'))));

async function startHub(): Promise<void> {
  hub = new Program('hub/main.ts', [
    ...[
      'hub',
      '--data-dir',
      join(dir, 'hub'),
      '--bind-address',
      '127.0.0.1',
      '--write-kubeconfig',
      kubeconfig,
    ],
    ...['--api-port', `${ports.api}`, '--grpc-port', `${ports.grpc}`, '--mqtt-port', `${ports.mqtt}`],
  ]);
  ports = JSON.parse(await hub.line(/the hub is ready/)) as typeof ports;
}

await startHub();
const holdfast = new Holdfast(kubeconfig);
const api = ApiClient.fromKubeconfig(kubeconfig);
const made = await holdfast.run('token create --approval manual --uses 10');
const token = made.out.trim();
const [, tokenId = ''] = /::(\w+)\./.exec(token) ?? [];
const hubAddress = () => `127.0.0.1:${ports.grpc}`;

function agent(command: 'join' | 'run' | 'status', node: string): Program {
  const program = new Program(
    'agent/main.ts',
    [
      ...[command, '--hub', hubAddress(), '--node-name', node],
      ...['--data-dir', join(dir, node), '--run-dir', join(dir, `${node}-run`)],
    ],
    { HOLDFAST_TOKEN: token },
  );
  programs.push(program);
  return program;
}

const usesLeft = async () => {
  const path = `/api/v1/namespaces/kube-system/secrets/join-token-${tokenId}`;
  const { data } = await api.call<{ data: Record<string, string> }>('GET', path);
  return Number(Buffer.from(data['uses-left'] ?? '', 'base64').toString());
};
const nodeNames = async () =>
  (await api.call<{ items: { metadata: { name: string } }[] }>('GET', '/api/v1/nodes')).items.map(
    ({ metadata }) => metadata.name,
  );
const kubectl = async (...args: string[]) =>
  (await promisify(execFile)(await kubectlPath(), ['--kubeconfig', kubeconfig, ...args])).stdout;

t.test('a device waits, through ends of both sides, and joins when it is approved', async (t) => {
  t.match(await holdfast.run('node pending'), { code: 0, err: /no device waits for approval/ });
  const first = agent('run', 'one');
  const said = JSON.parse(
    await first.line(/waiting until somebody approves this device: holdfast node approve one/),
  );
  t.same(await nodeNames(), [], 'it is no node');

  const status = agent('status', 'one');
  t.equal(await status.exit(), 0);
  t.match(
    status.lines.join('\n'),
    /one, not joined yet\n.*waits for approval since .*\n +holdfast node approve one/,
  );
  t.match(
    (await holdfast.run('node pending')).out,
    new RegExp(`one +${said.keyHash.slice(0, 16)} +${tokenId} `),
  );
  t.equal(JSON.parse((await holdfast.run('node pending -o json')).out).items.length, 1);
  t.match(
    await kubectl('get', 'csr'),
    /holdfast\.dev\/device +system:holdfast:join-token:\w+ +<none> +Pending/,
  );

  await first.end('SIGTERM');
  const second = agent('run', 'one');
  const again = JSON.parse(await second.line(/waiting until/));
  t.same([again.request, again.keyHash], [said.request, said.keyHash], 'the same device');
  t.equal(await usesLeft(), 9, 'which has used its token once');

  await hub.end('SIGKILL');
  await second.line(/the hub cannot be asked for the approval: trying again/);
  await startHub();
  t.match(await holdfast.run('node approve one'), {
    code: 0,
    out: `node one approved (key ${said.keyHash})\n`,
  });
  await second.line(/"joined"/);
  await second.line(/connected to the hub/);
  t.same(await nodeNames(), ['one']);
  t.match(await kubectl('get', 'csr'), /Approved,Issued/);
  t.match(await holdfast.run('node approve one'), { code: 1, err: /no device waits for approval as "one"/ });
  await second.end();
});

t.test('one that is approved while it is away needs no token any more', async (t) => {
  const first = agent('join', 'away');
  const { request } = JSON.parse(await first.line(/waiting until/));
  await first.end('SIGKILL');
  await kubectl('certificate', 'approve', request);
  await until('it is a node', async () => (await nodeNames()).includes('away'));
  await api.call('DELETE', `/apis/certificates.k8s.io/v1/certificatesigningrequests/${request}`);
  const uses = await usesLeft();
  const second = agent('join', 'away');
  t.equal(await second.exit(), 0);
  t.notMatch(second.lines.join('\n'), /waiting until/);
  t.equal(await usesLeft(), uses);
});

t.test('one that is denied is told so, and why; another attempt is another request', async (t) => {
  const denied = agent('join', 'stranger');
  const { request } = JSON.parse(await denied.line(/waiting until/));
  t.match(await holdfast.run('node deny stranger --reason unknown'), {
    code: 0,
    out: /stranger denied/,
  });
  t.equal(await denied.exit(), 1);
  t.match(denied.lines.join('\n'), /the hub refused: request stranger-\w+ was denied: unknown/);
  const again = agent('join', 'stranger');
  t.not(JSON.parse(await again.line(/waiting until/)).request, request);
  await api.call(
    'DELETE',
    `/apis/certificates.k8s.io/v1/certificatesigningrequests/${JSON.parse(await again.line(/waiting until/)).request}`,
  );
  t.equal(await again.exit(), 1);
  t.match(again.lines.join('\n'), /the request to join is gone/);
});

t.test('names: taken by a node, by one who waits, and while one waited', async (t) => {
  const at = { host: '127.0.0.1', port: ports.grpc, token: parseJoinToken(token) };
  await t.rejects(enrol({ ...at, node: 'one' }), /is enrolled with another key/);
  const waits = agent('join', 'two');
  await waits.line(/waiting until/);
  await t.rejects(enrol({ ...at, node: 'two' }), /another device waits for approval as "two"/);
  const ordinary = parseJoinToken((await holdfast.run('token create')).out);
  await enrol({ ...at, token: ordinary, node: 'two' });
  t.match(await holdfast.run(`node approve -l holdfast.dev/join-token=${tokenId}`), {
    code: 0,
    out: /two approved/,
  });
  t.equal(await waits.exit(), 1);
  t.match(waits.lines.join('\n'), /could not be granted: node "two" is enrolled with another key/);
});

t.test('what somebody made by hand makes nobody a node', async (t) => {
  const key = join(dir, 'key.pem');
  const csr = join(dir, 'csr.pem');
  await promisify(execFile)('openssl', [
    ...['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
    ...['-keyout', key, '-out', csr, '-subj', '/O=system:nodes/CN=system:node:forged'],
  ]);
  const manifest = join(dir, 'csr.json');
  const spec = {
    request: readFileSync(csr).toString('base64'),
    signerName: 'holdfast.dev/device',
    usages: ['client auth'],
    extra: { 'holdfast.dev/sealing-key': ['forged'] },
  };
  writeFileSync(
    manifest,
    JSON.stringify({
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: { name: 'forged' },
      spec,
    }),
  );
  await kubectl('create', '-f', manifest);
  await kubectl('certificate', 'approve', 'forged');
  await until('it has failed', async () => (await kubectl('get', 'csr', 'forged')).includes('Failed'));
  t.notOk((await nodeNames()).includes('forged'));
});

t.test('what is wrong with a command', async (t) => {
  t.match(await holdfast.run('token create --approval auto'), { code: 1, err: /--approval must be manual/ });
  t.match(await holdfast.run('node approve'), { code: 1, err: /name a device, or several/ });
  t.match(await holdfast.run('node deny -l a=b'), {
    code: 1,
    err: /no device that waits has the labels "a=b"/,
  });
});
