import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { BUSYBOX_IMAGE, ensureBusyboxImage } from '../../scripts/busybox-image.ts';
import { helmPath } from '../../scripts/kubectl.ts';
import { PrivateEngine } from '../support/engine.ts';
import { Stand } from '../support/stand.ts';

/* The real Helm 4: a chart that `helm create` makes and one of ours, on a hub and a device. */

const CHART = join(import.meta.dirname, '../../examples/hello-chart');
/** A server on port 80, as charts that `helm create` makes expect. */
const NGINX_LIKE = { repository: 'holdfast.test/web', tag: '1' };

/** Its own, for names of Services are answered on one address of an engine's bridge. */
const engine = new PrivateEngine(8);
await engine.start();
const stand = new Stand(engine, 'mqtt', 'device-helm');
const work = mkdtempSync(join(tmpdir(), 'hf-helm-'));
t.teardown(async () => {
  rmSync(work, { recursive: true });
  await stand.close();
  await engine.close();
});
await ensureBusyboxImage(engine.host, { name: BUSYBOX_IMAGE });
await ensureBusyboxImage(engine.host, {
  name: `${NGINX_LIKE.repository}:${NGINX_LIKE.tag}`,
  command: ['httpd', '-f', '-p', '80', '-h', '/www'],
  files: { 'www/index.html': 'made by helm create\n' },
});
await stand.start();
const program = await helmPath();

async function helm(...args: string[]): Promise<string> {
  const homes = Object.fromEntries(
    ['CACHE', 'CONFIG', 'DATA'].map((kind) => [`HELM_${kind}_HOME`, join(work, kind)]),
  );
  const env = { ...process.env, ...homes, KUBECONFIG: stand.kubeconfig };
  const { stdout } = await promisify(execFile)(program, args, { env, timeout: 90_000, cwd: work });
  return stdout;
}

const list = async () =>
  (JSON.parse(await helm('list', '-A', '-o', 'json')) as Record<string, string>[]).map(
    ({ name, revision, status, chart }) => [name, revision, status, chart],
  );
const get = async (...what: string[]) => (await stand.kubectl('get', ...what)).trim();

t.test('a chart of ours, through its life', async (t) => {
  await t.test('install, waiting, with hooks', async (t) => {
    const said = await helm('install', 'page', CHART, '--wait', '--timeout', '60s');
    t.match(said, /STATUS: deployed/);
    t.match(said, /page serves its page on port 8080/);
    t.same(await list(), [['page', '1', 'deployed', 'hello-0.1.0']]);
    t.equal(await get('deploy/page', '-o', 'jsonpath={.status.availableReplicas}'), '2');
    t.equal(await get('job/page-announce', '-o', 'jsonpath={.status.succeeded}'), '1');
    t.equal(await stand.kubectl('logs', 'job/page-announce'), 'revision 1 of page comes\n');
  });

  await t.test('the release says what it made', async (t) => {
    t.match(await helm('status', 'page'), /STATUS: deployed/);
    t.match(await helm('get', 'manifest', 'page'), /kind: Deployment/);
    t.match(await helm('get', 'values', 'page', '--all'), /replicas: 2/);
    const owner = 'jsonpath={.metadata.managedFields[?(@.manager=="helm")].operation}';
    t.equal(await get('deploy/page', '-o', owner, '--show-managed-fields'), 'Apply');
  });

  await t.test('its test', async (t) => {
    t.match(await helm('test', 'page', '--timeout', '60s'), /Phase: +Succeeded/);
  });

  await t.test('upgrade', async (t) => {
    const set = ['--set', 'page=Another page.', '--set', 'replicas=1'];
    await helm('upgrade', 'page', CHART, '--wait', '--timeout', '60s', ...set);
    t.same(await list(), [['page', '2', 'deployed', 'hello-0.1.0']]);
    t.equal(await get('deploy/page', '-o', 'jsonpath={.spec.replicas}'), '1');
    t.equal(await get('cm/page-page', '-o', 'jsonpath={.data.index\\.html}'), 'Another page.');
    t.equal(await stand.kubectl('logs', 'job/page-announce'), 'revision 2 of page comes\n');
    t.match(await helm('test', 'page', '--timeout', '60s'), /Phase: +Succeeded/);
  });

  await t.test('an upgrade that can not work fails, and changes nothing that runs', async (t) => {
    const failing = helm('upgrade', 'page', CHART, '--set', 'replicas=-1', '--timeout', '20s');
    await t.rejects(failing, /spec.replicas: Invalid value: -1: must be greater than or equal to 0/);
    t.equal(await get('deploy/page', '-o', 'jsonpath={.status.availableReplicas}'), '1');
    t.match(await helm('history', 'page'), /failed/);
  });

  await t.test('rollback', async (t) => {
    await helm('rollback', 'page', '1', '--wait', '--timeout', '60s');
    t.equal(await get('deploy/page', '-o', 'jsonpath={.spec.replicas}'), '2');
    t.equal(await get('cm/page-page', '-o', 'jsonpath={.data.index\\.html}'), 'It runs, connected or not.');
    t.match(await helm('history', 'page'), /Rollback to 1/);
  });

  await t.test('what was changed by hand is put right, and what somebody else owns is told', async (t) => {
    await stand.kubectl('scale', 'deploy/page', '--replicas=3');
    const conflicting = helm('upgrade', 'page', CHART, '--timeout', '20s');
    await t.rejects(conflicting, /conflict with "kubectl".*\.spec\.replicas/s);
    await helm('upgrade', 'page', CHART, '--wait', '--timeout', '60s', '--force-conflicts');
    t.equal(await get('deploy/page', '-o', 'jsonpath={.spec.replicas}'), '2');
  });

  await t.test('uninstall', async (t) => {
    await helm('uninstall', 'page', '--wait', '--timeout', '60s');
    t.same(await list(), []);
    t.equal(await get('deploy,rs,cm', '-l', 'app.kubernetes.io/instance=page', '-o', 'name'), '');
    t.equal(await get('secrets', '-l', 'owner=helm', '-o', 'name'), '');
  });
});

t.test('a chart that helm create makes', async (t) => {
  await helm('create', 'made');
  // The image of its test comes from a registry; this one has the same program and is here.
  const connecting = join(work, 'made/templates/tests/test-connection.yaml');
  const manifest = await readFile(connecting, 'utf8');
  t.match(manifest, /image: busybox\n/);
  await writeFile(connecting, manifest.replace('image: busybox\n', `image: ${BUSYBOX_IMAGE}\n`));
  const image = Object.entries(NGINX_LIKE).flatMap(([key, value]) => [
    '--set-string',
    `image.${key}=${value}`,
  ]);
  await helm(
    'install',
    'made',
    './made',
    '--create-namespace',
    '-n',
    'shop',
    '--wait',
    '--timeout',
    '60s',
    ...image,
  );
  t.same(await list(), [['made', '1', 'deployed', 'made-0.1.0']]);
  const kinds = await get(
    '-n',
    'shop',
    'deploy,svc,sa',
    '-l',
    'app.kubernetes.io/instance=made',
    '-o',
    'name',
  );
  t.same(kinds.split('\n'), ['deployment.apps/made', 'service/made', 'serviceaccount/made']);
  // A pod that fetches a page from the Service, by its name.
  const tested = await helm('test', 'made', '-n', 'shop', '--timeout', '60s', '--logs');
  t.match(tested, /Phase: +Succeeded/);
  await helm(
    'upgrade',
    'made',
    './made',
    '-n',
    'shop',
    '--wait',
    '--timeout',
    '60s',
    ...image,
    '--set',
    'replicaCount=2',
  );
  t.equal(await get('-n', 'shop', 'deploy/made', '-o', 'jsonpath={.status.readyReplicas}'), '2');
  await helm('rollback', 'made', '-n', 'shop', '--wait', '--timeout', '60s');
  t.equal(await get('-n', 'shop', 'deploy/made', '-o', 'jsonpath={.spec.replicas}'), '1');
  await helm('uninstall', 'made', '-n', 'shop', '--wait', '--timeout', '60s');
  t.same(await list(), []);
});

t.test('templates can ask the cluster', async (t) => {
  const said = await helm('template', 'x', CHART, '--dry-run=server');
  t.match(said, /kind: Deployment/);
});

t.test('a chart that brings its own kinds', async (t) => {
  const chart = join(work, 'lamps');
  await mkdir(join(chart, 'crds'), { recursive: true });
  await mkdir(join(chart, 'templates'));
  const schema = {
    type: 'object',
    properties: { spec: { type: 'object', properties: { watts: { type: 'integer', default: 40 } } } },
  };
  const version = { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } };
  const files = {
    'Chart.yaml': { apiVersion: 'v2', name: 'lamps', version: '0.1.0' },
    'crds/lamps.yaml': {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'lamps.example.com' },
      spec: {
        group: 'example.com',
        scope: 'Namespaced',
        names: { plural: 'lamps', kind: 'Lamp' },
        versions: [version],
      },
    },
    'templates/lamp.yaml': {
      apiVersion: 'example.com/v1',
      kind: 'Lamp',
      metadata: { name: '{{ .Release.Name }}' },
      spec: {},
    },
  };
  for (const [file, content] of Object.entries(files))
    await writeFile(join(chart, file), JSON.stringify(content));
  const watts = () => get('lamps/hall', '-o', 'jsonpath={.spec.watts}');

  await helm('install', 'hall', chart, '--wait', '--timeout', '60s');
  t.equal(await watts(), '40', 'the kind was there before its object');
  const template = files['templates/lamp.yaml'];
  await writeFile(join(chart, 'templates/lamp.yaml'), JSON.stringify({ ...template, spec: { watts: 60 } }));
  await helm('upgrade', 'hall', chart, '--wait', '--timeout', '60s');
  t.equal(await watts(), '60');
  await helm('rollback', 'hall', '1', '--wait', '--timeout', '60s');
  t.equal(await watts(), '40');
  await helm('uninstall', 'hall', '--wait', '--timeout', '60s');
  t.equal(await get('lamps', '-o', 'name'), '', 'the object goes, the kind stays, as Helm has it');
  await helm('install', 'hall', chart, '--wait', '--timeout', '60s');
  t.equal(await watts(), '60', 'a kind that is there already is left alone');
  await helm('uninstall', 'hall', '--wait', '--timeout', '60s');
});
