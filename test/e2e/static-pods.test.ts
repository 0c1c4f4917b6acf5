import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { Node, Pod } from 'kubernetes-types/core/v1.d.ts';
import t from 'tap';
import { Engine } from '../support/engine.ts';
import { appImage, makeAppImages } from '../support/images.ts';
import { podOf, SeenPods, shell } from '../support/pods.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/*
 * Pods of the device's own: they run from the first moment, whatever becomes of the hub, the agent or the files, and the hub
 * shows them.
 */

const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
const NODE = 'device-static';

const manifest = (greeting: string) => `# of the device itself
apiVersion: v1
kind: Pod
metadata:
  name: own
  labels: { app: own }
spec:
  terminationGracePeriodSeconds: 5
  containers:
    - name: main
      image: ${appImage(1)}
      command: [sh, -c, 'echo ${greeting}; trap "exit 0" TERM; while :; do sleep 1000 & wait $!; done']
      ports: [{ containerPort: 8080 }]
`;

t.test('static pods', async (t) => {
  const stand = new Stand(engine, 'mqtt', NODE);
  const pods = new SeenPods(stand);
  const dir = join(stand.dir, 'etc/manifests');
  const flags = ['--static-pod-path', dir];
  /** As programs that are careful do it; others are held up by being looked at a moment later. */
  const put = (name: string, text: string) => {
    writeFileSync(join(dir, `.${name}`), text);
    renameSync(join(dir, `.${name}`), join(dir, name));
  };
  const own = () => pods.get(`own-${NODE}`);
  const idOf = (pod: string) => pods.id(`${pod}-${NODE}`, 'main', NODE);
  const isGone = (pod: string) =>
    until(`nothing is left of ${pod}`, async () => {
      const found = await engine.containers(NODE, { all: true });
      return found.every((each) => each.pod !== `${pod}-${NODE}`);
    });
  const status = async () => {
    const program = stand.runAgent('status');
    await program.exit();
    return program.lines.join('\n');
  };
  const restart = async () => {
    await stand.agent.end('SIGKILL');
    await stand.startAgent(...flags);
  };
  const looked = () => stand.agent.line(/the container engine answers/);

  t.teardown(() => stand.close());
  await makeAppImages(engine, [1]);
  await stand.start(...flags);

  let id = '';
  await t.test('run when their file comes, and are shown', async (t) => {
    mkdirSync(dir, { recursive: true });
    put('own.yaml', manifest('one'));
    id = await idOf('own');
    await pods.ready(`own-${NODE}`);
    const { metadata, spec, status: shown } = (await own()) as Required<Pod>;
    const annotations = metadata.annotations ?? {};
    const node = (await stand.api.call('GET', `/api/v1/nodes/${NODE}`)) as Node;
    t.match(metadata.ownerReferences, [
      { apiVersion: 'v1', kind: 'Node', name: NODE, uid: node.metadata?.uid, controller: true },
    ]);
    t.equal(annotations['kubernetes.io/config.source'], 'file');
    t.match(annotations['kubernetes.io/config.hash'], /^[0-9a-f]{32}$/);
    t.equal(annotations['kubernetes.io/config.mirror'], annotations['kubernetes.io/config.hash']);
    t.match(annotations['kubernetes.io/config.seen'], /Z$/);
    t.not(metadata.uid, annotations['kubernetes.io/config.hash'], 'the object has a uid of its own');
    t.same(metadata.labels, { app: 'own' });
    t.equal(spec.nodeName, NODE);
    t.notOk(spec.serviceAccountName);
    t.match(spec.tolerations, [{ operator: 'Exists', effect: 'NoExecute' }]);
    t.equal(shown.phase, 'Running');
    t.equal(shown.containerStatuses?.[0]?.containerID, `docker://${id}`);
    t.equal((await stand.kubectl('logs', `own-${NODE}`)).trim(), 'one');
    t.match(await stand.kubectl('exec', `own-${NODE}`, '--', 'cat', '/www/version'), /^1/);
    t.match(await stand.kubectl('describe', 'pod', `own-${NODE}`), /Started/, 'its events are found');
    t.match(await status(), new RegExp(`own-${NODE} +1/1 +Running`));
    const top = until('its usage is told', async () =>
      (await stand.kubectl('top', 'pod', `own-${NODE}`, '--no-headers')).includes(`own-${NODE}`),
    );
    t.ok(await top);
  });

  await t.test('outlive what is done to their object', async (t) => {
    const before = (await own()).metadata?.uid;
    const comesBack = (what: string) =>
      until(`it is back after ${what}`, async () => {
        const { metadata, status } = await own();
        return metadata?.uid !== before && status?.phase === 'Running';
      });
    await stand.kubectl('delete', 'pod', `own-${NODE}`, '--wait=false');
    t.ok(await comesBack('a deletion'));
    await stand.kubectl('drain', NODE, '--force', '--timeout=30s');
    await stand.kubectl('uncordon', NODE);
    const fake = podOf('fake', { main: {} }, { nodeName: NODE });
    const { uid = '' } = (await own()).metadata ?? {};
    await stand.apply({
      ...fake,
      metadata: {
        ...fake.metadata,
        annotations: {
          'kubernetes.io/config.mirror': (await own()).metadata?.annotations?.['kubernetes.io/config.hash'],
        },
      },
    });
    const fakes = () => stand.kubectl('get', 'pod', 'fake', '--ignore-not-found', '-o', 'name');
    t.ok(await until('what shows nothing is removed', async () => (await fakes()) === ''));
    t.equal((await own()).metadata?.uid, uid);
    await stand.kubectl('annotate', 'pod', `own-${NODE}`, 'kubernetes.io/config.mirror=other', '--overwrite');
    t.ok(await until('it is shown as it is', async () => (await own()).metadata?.uid !== uid));
    t.equal(await idOf('own'), id, 'nothing of it reached the container');
  });

  await t.test('are not disturbed by files that are wrong', async (t) => {
    put('bad.yaml', 'apiVersion: v1\nkind: Pod\nmetadata: {name: [}\n');
    put('map.json', JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' } }));
    put('own.yaml', manifest('one').replace('image:', 'imgae:'));
    const told = await until('all are told', async () => {
      const text = await status();
      return text.split('\n').filter((line) => line.startsWith('Invalid:')).length === 3 ? text : undefined;
    });
    t.match(told, /bad\.yaml: it is no YAML: line 3, column \d+/);
    t.match(told, /map\.json: .*must be a Pod of apiVersion v1, is ConfigMap/);
    t.match(told, /own\.yaml: there is no field spec\.containers\[0\]\.imgae/);
    const reasons = async () =>
      (await stand.kubectl('get', 'events', '-o', 'jsonpath={.items[*].reason}')).split(' ');
    await until(
      'there is an event for each',
      async () => (await reasons()).filter((reason) => reason === 'InvalidStaticPod').length === 3,
    );
    await restart();
    await looked();
    await stand.agent.line(/connected to the hub/);
    t.equal(await idOf('own'), id, 'also not when the agent starts with them');
    t.match(await status(), /own\.yaml: there is no field/);
    rmSync(join(dir, 'bad.yaml'));
    rmSync(join(dir, 'map.json'));
  });

  await t.test('are replaced when their file says something else', async (t) => {
    const events = await pods.events(`own-${NODE}`);
    put('own.yaml', `${manifest('one')}# the same\n`);
    await until('nothing is wrong', async () => !(await status()).includes('Invalid:'));
    t.equal(await idOf('own'), id, 'a comment changes nothing');
    put('own.yaml', manifest('two'));
    await until('it is another', async () => (await engine.containers(NODE)).every((each) => each.id !== id));
    id = await idOf('own');
    await until('the hub shows the other', async () => {
      const { status } = await own();
      return status?.containerStatuses?.[0]?.containerID === `docker://${id}`;
    });
    t.equal((await stand.kubectl('logs', `own-${NODE}`)).trim(), 'two');
    t.ok(events.includes('Started'));
  });

  await t.test('need no hub', async (t) => {
    await stand.cutLink();
    put('late.json', JSON.stringify(podOf('late', { main: { command: shell('sleep 1000') } })));
    const late = await idOf('late');
    await restart();
    await looked();
    await until('the agent sees both', async () => /late-.* 1\/1 +Running/.test(await status()));
    t.same([await idOf('own'), await idOf('late')], [id, late], 'nor the agent that started them');
    rmSync(join(dir, 'late.json'));
    await isGone('late');
    t.equal(await idOf('own'), id);
  });

  await t.test('nor anything that a hub ever said', async (t) => {
    await stand.agent.end('SIGKILL');
    const db = new Database(join(stand.agentDir, 'agent.db'));
    db.exec('DELETE FROM desired');
    db.close();
    rmSync(join(stand.agentDir, 'snapshots'), { recursive: true });
    put('early.json', JSON.stringify(podOf('early', { main: {} })));
    await stand.startAgent(...flags);
    const early = await idOf('early');
    t.equal(await idOf('own'), id);
    await stand.restoreLink();
    await pods.ready(`early-${NODE}`);
    await until('what was removed meanwhile is shown no more', async () => {
      const names = await stand.kubectl('get', 'pods', '-o', 'name');
      return !names.includes('late-');
    });
    t.same([await idOf('own'), await idOf('early')], [id, early], 'a snapshot ends none of them');
  });

  await t.test('end when their file is gone, also while the agent is not there', async (t) => {
    await stand.agent.end('SIGKILL');
    rmSync(join(dir, 'early.json'));
    await stand.startAgent(...flags);
    await isGone('early');
    const names = () => stand.kubectl('get', 'pods', '-o', 'name');
    t.ok(await until('it is not shown', async () => !(await names()).includes('early-')));
    rmSync(dir, { recursive: true });
    await isGone('own');
    t.ok(await until('nothing is shown', async () => (await names()) === ''));
    mkdirSync(dir);
    put('own.yaml', manifest('three'));
    await until('a directory that comes back is seen', async () => (await own()).status?.phase === 'Running');
  });
});
