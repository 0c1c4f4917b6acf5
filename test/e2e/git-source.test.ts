import { createHmac } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { request as send } from 'node:https';
import { join } from 'node:path';
import t from 'tap';
import { ApiClient } from '../../hub/cli/api-client.ts';
import type { GitSourceObject } from '../../hub/fleet/git-source.ts';
import { GitServer } from '../support/git-server.ts';
import { startHubInProcess } from '../support/hub-in-process.ts';
import { Kubectl } from '../support/kubectl.ts';
import { Program } from '../support/program.ts';
import { until } from '../support/until.ts';

/* Whole hubs that follow real repositories on real Git servers. */

const SOURCES = '/apis/fleet.holdfast.dev/v1/namespaces/default/gitsources';
const MAPS = '/api/v1/namespaces/default/configmaps';
const SECRETS = '/api/v1/namespaces/default/secrets';
const MERGE = { contentType: 'application/merge-patch+json' };
const ADMIN = 'deployer';

const server = await GitServer.start();
const auditLog = join(t.testdir({}), 'audit.log');
const hub = await startHubInProcess('--audit-log-path', auditLog);
t.teardown(async () => {
  await hub.close();
  await server.close();
});
const { api } = hub;

const base64 = (text: string) => Buffer.from(text).toString('base64');
const secret = (name: string, values: Readonly<Record<string, string>>) =>
  api.call('POST', SECRETS, {
    metadata: { name },
    data: Object.fromEntries(Object.entries(values).map(([key, value]) => [key, base64(value)])),
  });
const map = (name: string, data: object, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...more },
  data,
});
const dataOf = async (name: string) =>
  (await api.find<{ data: Record<string, string> }>(`${MAPS}/${name}`))?.data;
const source = (name: string) => api.call<GitSourceObject>('GET', `${SOURCES}/${name}`);
const conditionOf = ({ status }: GitSourceObject, type: string) =>
  status?.conditions?.find((each) => each.type === type);
const when = (name: string, what: string, holds: (object: GitSourceObject) => unknown) =>
  until(`${name} ${what}`, async () => {
    const object = await source(name);
    return holds(object) ? object : undefined;
  }).catch(async (error: unknown) => {
    throw new Error(`${name} ${what}: ${JSON.stringify((await source(name)).status, null, 1)}`, {
      cause: error,
    });
  });
const applied = (name: string, revision: string) =>
  when(name, `has applied ${revision}`, ({ status }) => status?.lastAppliedRevision === revision);
const failed = (name: string, reason: string) =>
  when(name, `has failed with ${reason}`, (object) => conditionOf(object, 'Ready')?.reason === reason);
const follow = (name: string, spec: object) =>
  api.call('POST', SOURCES, {
    metadata: { name },
    spec: { secretRef: { name: 'https' }, serviceAccountName: ADMIN, ...spec },
  });
let asked = 0;
const ask = (name: string) => {
  asked += 1;
  const annotations = { 'fleet.holdfast.dev/reconcile-at': `${asked}` };
  return api.call('PATCH', `${SOURCES}/${name}`, { metadata: { annotations } }, MERGE);
};

await until('the namespace has its account', () =>
  api.find('/api/v1/namespaces/default/serviceaccounts/default'),
);
await secret('https', { ...server.credentials, 'ca.crt': server.certificate });
await api.call('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: ADMIN } });
await api.call('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
  metadata: { name: ADMIN },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
  subjects: [{ kind: 'ServiceAccount', name: ADMIN, namespace: 'default' }],
});

const polled = server.repository('polled');
const polledFirst = polled.commit({ 'a.yaml': map('polled', {}) });
await follow('polled', { url: server.httpsUrl(polled), interval: '10s' });
await applied('polled', polledFirst);
const polledNext = polled.commit({ 'a.yaml': map('polled', { k: 'new' }) }); // looked for at the end

t.test('a commit is applied, its change too, and what goes is pruned', async (t) => {
  const repository = server.repository('life');
  const first = repository.commit({
    'fleet/a.yaml':
      '# two in one\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  k: "1"\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, annotations: {fleet.holdfast.dev/prune: disabled}}\n',
    'fleet/deep/list.json': { apiVersion: 'v1', kind: 'List', items: [map('c', { k: 'c' }), map('d', {})] },
    'fleet/new.yaml': 'apiVersion: v1\nkind: Namespace\nmetadata: {name: made}\n',
    'fleet/in-new.yaml': map('in-new', {}, { namespace: 'made' }),
    'fleet/.hidden/x.yaml': 'no manifest',
    'fleet/README.md': 'no manifest',
    'other/x.yaml': 'no manifest',
  });
  await follow('life', { url: server.httpsUrl(repository), path: './fleet/', prune: true });
  const { status } = await applied('life', first);
  t.same(await dataOf('a'), { k: '1' });
  t.same(await dataOf('c'), { k: 'c' });
  t.ok(await api.find('/api/v1/namespaces/made/configmaps/in-new'), 'namespaces come first');
  t.equal(status?.inventory?.length, 6);
  const written = await api.call<{ metadata: { annotations: object; managedFields: { manager: string }[] } }>(
    'GET',
    `${MAPS}/a`,
  );
  t.match(written.metadata.annotations, { 'fleet.holdfast.dev/git-source': 'default/life' });
  t.equal(written.metadata.managedFields[0]?.manager, 'holdfast-git');

  const second = repository.commit({
    'fleet/a.yaml': map('a', { k: '2' }),
    'fleet/deep/list.json': undefined,
  });
  await ask('life');
  const after = await applied('life', second);
  t.same(await dataOf('a'), { k: '2' });
  t.notOk(await dataOf('c'), 'what has gone from the repository is deleted');
  t.ok(await api.find(`${MAPS}/b`), 'but what says that it wants to stay');
  t.equal(after.status?.inventory?.length, 3);
  t.match(conditionOf(after, 'Ready'), { status: 'True', reason: 'Applied' });
  t.equal(after.status?.lastHandledReconcileAt, `${asked}`);
  const kubectl = await Kubectl.of('1.34', hub.kubeconfig, t.testdir({}), 'default');
  t.match(await kubectl.run('get gitsource life'), {
    code: 0,
    out: /NAME\s+URL\s+REVISION\s+READY\s+STATUS\s+AGE\nlife\s+https:.*True\s+revision/,
  });
});

t.test('what somebody changes by hand is put right, or told of', async (t) => {
  const repository = server.repository('drift');
  const revision = repository.commit({
    'x.yaml': map('drifting', { k: 'right' }),
    'y.yaml': map('going', {}),
  });
  await follow('drift', { url: server.httpsUrl(repository) });
  await applied('drift', revision);
  const change = (data: object) => api.call('PATCH', `${MAPS}/drifting`, { data }, MERGE);
  await change({ k: 'wrong', other: 'stays' });
  await until('it is put right', async () => (await dataOf('drifting'))?.['k'] === 'right');
  t.equal((await dataOf('drifting'))?.['other'], 'stays', 'what the repository says nothing of is not its');
  await api.call('DELETE', `${MAPS}/going`);
  await until('it is there again', () => dataOf('going'));
  const events = await until('the correction is told of', async () => {
    const { items } = await api.call<{ items: { reason: string; message: string }[] }>(
      'GET',
      '/api/v1/namespaces/default/events?fieldSelector=involvedObject.name=drift,reason=DriftCorrected',
    );
    return items.length >= 2 ? items : undefined;
  });
  t.match(events.map(({ message }) => message).toSorted(), [
    'ConfigMap default/drifting differs in data.k: it is applied again',
    'ConfigMap default/going is missing: it is applied again',
  ]);

  await api.call('PATCH', `${SOURCES}/drift`, { spec: { drift: 'report' } }, MERGE);
  await when(
    'drift',
    'only reports',
    ({ status, metadata }) => status?.observedGeneration === metadata.generation,
  );
  await change({ k: 'wrong' });
  const found = await when(
    'drift',
    'tells of it',
    (object) => conditionOf(object, 'Drifted')?.status === 'True',
  );
  t.same(found.status?.drifted, [
    { object: 'ConfigMap default/drifting', state: 'Differs', fields: ['data.k'] },
  ]);
  t.equal(conditionOf(found, 'Ready')?.status, 'True');
  t.equal((await dataOf('drifting'))?.['k'], 'wrong');
  await ask('drift');
  await until('asked for, it is put right', async () => (await dataOf('drifting'))?.['k'] === 'right');
  await when('drift', 'tells of none', (object) => conditionOf(object, 'Drifted')?.status === 'False');
});

t.test('a revision with something invalid changes nothing, and says what it is', async (t) => {
  const repository = server.repository('invalid');
  const good = repository.commit({ 'app/a.yaml': map('steady', { k: '1' }) });
  await follow('invalid', { url: server.httpsUrl(repository), path: 'app', prune: true });
  await applied('invalid', good);
  const broken = repository.commit({
    'app/a.yaml': map('steady', { k: '2' }),
    'app/b.yaml': {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: { replicas: -1 },
    },
  });
  await ask('invalid');
  const { status } = await failed('invalid', 'ApplyFailed');
  t.same(await dataOf('steady'), { k: '1' });
  t.equal(status?.lastAppliedRevision, good);
  t.equal(status?.lastAttemptedRevision, broken);
  t.match(status?.failures, [
    { file: 'app/b.yaml', object: 'Deployment default/web', message: /spec\.replicas/ },
  ]);

  repository.commit({
    'app/b.yaml': 'kind: [\n',
    'app/c.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n---\na: b: c\n',
  });
  await ask('invalid');
  const { status: unreadable } = await failed('invalid', 'ManifestsInvalid');
  t.match(unreadable?.failures, [{ file: 'app/b.yaml' }, { file: 'app/c.yaml', message: /line 5/ }]);
  t.same(await dataOf('steady'), { k: '1' });

  repository.commit({
    'app/b.yaml': undefined,
    'app/c.yaml': undefined,
    'app/a.yaml': { ...map('steady', {}), dataa: {} },
  });
  await ask('invalid');
  const { status: misspelt } = await when('invalid', 'refuses', (object) =>
    object.status?.failures?.some(({ message }) => /unknown field "dataa"/.test(message)),
  );
  t.equal(misspelt?.failures?.[0]?.file, 'app/a.yaml');

  repository.commit({ 'app/a.yaml': undefined });
  await ask('invalid');
  await failed('invalid', 'RevisionNotFound');
  repository.commit({ 'app/README.md': 'empty' });
  await ask('invalid');
  await failed('invalid', 'NoManifests');
  t.same(await dataOf('steady'), { k: '1' }, 'nothing is no reason to remove everything');

  const last = repository.commit({ 'app/a.yaml': map('steady', { k: '3' }) });
  await ask('invalid');
  await applied('invalid', last);
  t.same(await dataOf('steady'), { k: '3' });
});

t.test('an account does what it may', async (t) => {
  const repository = server.repository('limited');
  const revision = repository.commit({
    'a.yaml': map('allowed', {}),
    'b.yaml': map('elsewhere', {}, { namespace: 'kube-system' }),
    'c.yaml': { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'not-theirs' } },
  });
  await follow('limited', { url: server.httpsUrl(repository), serviceAccountName: 'tenant' });
  const missing = await failed('limited', 'ServiceAccountMissing');
  t.match(conditionOf(missing, 'Ready')?.message, /no service account "tenant"/);
  await api.call('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'tenant' } });
  const rules = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['patch', 'create'] }];
  await api.call('POST', '/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles', {
    metadata: { name: 'tenant' },
    rules,
  });
  await api.call('POST', '/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings', {
    metadata: { name: 'tenant' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'tenant' },
    subjects: [{ kind: 'ServiceAccount', name: 'tenant', namespace: 'default' }],
  });
  await ask('limited');
  const { status } = await failed('limited', 'ApplyFailed');
  const user = 'User "system:serviceaccount:default:tenant" cannot patch resource';
  t.match(status?.failures, [{ file: 'c.yaml', object: 'Namespace not-theirs', message: user }]);
  t.notOk(await dataOf('allowed'), 'nothing is applied of what it may not do as a whole');
  repository.commit({ 'c.yaml': undefined });
  await ask('limited');
  const { status: second } = await when(
    'limited',
    'is refused elsewhere',
    (object) => object.status?.failures?.[0]?.file === 'b.yaml',
  );
  t.match(second?.failures?.[0]?.message, /in the namespace "kube-system"/);
  t.not(second?.lastAppliedRevision, revision);

  await api.call('PATCH', `${SOURCES}/limited`, { spec: { targetNamespace: 'default' } }, MERGE);
  await when('limited', 'is applied', (object) => conditionOf(object, 'Ready')?.status === 'True');
  t.ok(await dataOf('elsewhere'), 'targetNamespace is where everything goes');

  repository.commit({ 'b.yaml': undefined });
  await api.call('PATCH', `${SOURCES}/limited`, { spec: { prune: true } }, MERGE);
  const { status: unpruned } = await failed('limited', 'PruneFailed');
  t.match(unpruned?.failures, [{ object: 'ConfigMap default/elsewhere', message: /cannot delete resource/ }]);
  t.equal(unpruned?.inventory?.length, 2, 'what could not be removed is not forgotten');
  const more = [{ ...rules[0], verbs: ['patch', 'create', 'delete'] }];
  await api.call(
    'PATCH',
    '/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles/tenant',
    { rules: more },
    MERGE,
  );
  await ask('limited');
  await when('limited', 'is applied', (object) => conditionOf(object, 'Ready')?.status === 'True');
  t.notOk(await dataOf('elsewhere'));
});

t.test('what fails when it is applied keeps nothing else from being applied', async (t) => {
  await api.call('POST', '/api/v1/namespaces', { metadata: { name: 'tight' } });
  const QUOTAS = '/api/v1/namespaces/tight/resourcequotas';
  await api.call('POST', QUOTAS, { metadata: { name: 'maps' }, spec: { hard: { 'count/configmaps': '2' } } });
  const tight = async () =>
    (
      await api.call<{ items: { metadata: { name: string } }[] }>(
        'GET',
        '/api/v1/namespaces/tight/configmaps',
      )
    ).items.length;
  await until('the root certificate is one of two', async () => (await tight()) === 1);
  const repository = server.repository('partly');
  const revision = repository.commit({
    'a.yaml': map('a', {}),
    'b.yaml': map('b', {}),
    'c.yaml': map('c', {}),
  });
  await follow('partly', { url: server.httpsUrl(repository), targetNamespace: 'tight', prune: true });
  const { status } = await failed('partly', 'ApplyFailed');
  t.equal(await tight(), 2);
  t.match(status?.failures, [{ message: /exceeded quota/ }, { message: /exceeded quota/ }]);
  t.equal(status?.inventory?.length, 1);
  t.notOk(status?.lastAppliedRevision);
  await api.call('PATCH', `${QUOTAS}/maps`, { spec: { hard: { 'count/configmaps': '9' } } }, MERGE);
  await ask('partly');
  await applied('partly', revision);
  t.equal(await tight(), 4);
});

t.test('the example is right', async (t) => {
  const kubectl = await Kubectl.of('1.35', hub.kubeconfig, t.testdir({}), 'default');
  const { code, out, err } = await kubectl.run('apply --dry-run=server -f examples/git-source.yaml');
  t.equal(code, 0, err);
  t.match(out, /gitsource\.fleet\.holdfast\.dev\/fleet created/);
  t.match(await kubectl.run('explain gitsource.spec.secretRef'), { out: /known_hosts/ });
});

t.test('two GitSources do not fight for an object', async (t) => {
  const [one, two] = [server.repository('one'), server.repository('two')];
  const revision = one.commit({ 'a.yaml': map('shared', { of: 'one' }) });
  two.commit({ 'a.yaml': map('shared', { of: 'two' }) });
  await follow('one', { url: server.httpsUrl(one), prune: true });
  await applied('one', revision);
  await follow('two', { url: server.httpsUrl(two) });
  const { status } = await failed('two', 'ApplyFailed');
  t.match(status?.failures?.[0]?.message, /belongs to the GitSource default\/one/);
  t.same(await dataOf('shared'), { of: 'one' });
  await api.call('DELETE', `${SOURCES}/one`);
  await ask('two');
  await until('the other one has it', async () => (await dataOf('shared'))?.['of'] === 'two');
});

t.test('definitions come before what is of them', async (t) => {
  const repository = server.repository('kinds');
  const revision = repository.commit({
    'a.yaml': { apiVersion: 'example.com/v1', kind: 'Gadget', metadata: { name: 'g' } },
    'z.yaml': {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'gadgets.example.com' },
      spec: {
        group: 'example.com',
        scope: 'Namespaced',
        names: { plural: 'gadgets', kind: 'Gadget' },
        versions: [
          { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } },
        ],
      },
    },
  });
  await follow('kinds', { url: server.httpsUrl(repository) });
  await applied('kinds', revision);
  t.ok(await api.find('/apis/example.com/v1/namespaces/default/gadgets/g'));
});

t.test('branches, tags and commits', async (t) => {
  const repository = server.repository('refs');
  const first = repository.commit({ 'a.yaml': map('refs', { at: 'first' }) });
  repository.git('tag', '-a', 'v1', '-m', 'one');
  repository.git('push', '--quiet', 'origin', 'v1');
  const second = repository.commit({ 'a.yaml': map('refs', { at: 'second' }) }, 'next');
  const third = repository.commit({ 'a.yaml': map('refs', { at: 'third' }) });
  const url = server.httpsUrl(repository);
  await follow('refs', { url, ref: { branch: 'next' } });
  await applied('refs', second);
  const to = (ref: object) => api.call('PATCH', `${SOURCES}/refs`, { spec: { ref } }, MERGE);
  await to({ branch: null, tag: 'v1' });
  await applied('refs', first);
  await to({ tag: null, commit: third });
  await applied('refs', third);
  t.same(await dataOf('refs'), { at: 'third' });
  await to({ commit: null, branch: 'nowhere' });
  const lost = await failed('refs', 'RevisionNotFound');
  t.match(conditionOf(lost, 'Ready')?.message, /spec\.ref.*nowhere/);
  t.same(await dataOf('refs'), { at: 'third' });
});

t.test('who the server is, and who asks', async (t) => {
  const repository = server.repository('trust');
  const revision = repository.commit({ 'a.yaml': map('trust', {}) });
  const url = server.httpsUrl(repository);
  const { username, password } = server.credentials;
  await secret('wrong-password', { username, password: 'a guess', 'ca.crt': server.certificate });
  await secret('no-ca', { username, password });
  await follow('wrong-password', { url, secretRef: { name: 'wrong-password' } });
  await follow('no-ca', { url, secretRef: { name: 'no-ca' } });
  await follow('no-secret', { url, secretRef: { name: 'comes-later' } });
  const refused = await failed('wrong-password', 'AuthenticationFailed');
  t.notMatch(JSON.stringify(refused), /a guess|YSBndWVzcw/, 'without the password');
  await failed('no-ca', 'CertificateRefused');
  await failed('no-secret', 'AuthenticationFailed');
  await secret('comes-later', { ...server.credentials, 'ca.crt': server.certificate });
  await applied('no-secret', revision);
});

t.test('over ssh', async (t) => {
  const repository = server.repository('ssh');
  const revision = repository.commit({ 'a.yaml': map('by-ssh', {}) });
  const url = server.sshUrl(repository);
  await secret('ssh', { identity: server.identity, known_hosts: server.knownHosts() });
  await secret('ssh-unknown', { identity: server.identity, known_hosts: 'example.com ssh-ed25519 AAAA\n' });
  await secret('ssh-other', { identity: server.identity, known_hosts: server.knownHosts(false) });
  await secret('ssh-bare', { identity: server.identity });
  for (const name of ['ssh', 'ssh-unknown', 'ssh-other', 'ssh-bare'])
    await follow(name, { url, secretRef: { name } });
  await applied('ssh', revision);
  t.ok(await dataOf('by-ssh'));
  await failed('ssh-unknown', 'HostKeyRefused');
  await failed('ssh-other', 'HostKeyRefused');
  const bare = await failed('ssh-bare', 'AuthenticationFailed');
  t.match(conditionOf(bare, 'Ready')?.message, /lacks known_hosts/);
  const left = readdirSync(join(hub.dataDir, 'git'));
  t.same(
    left.filter((name) => name.includes('keys')),
    [],
    'no key is left on the disk',
  );
});

t.test('who always changes the same thing back is followed ever more slowly', async (t) => {
  const repository = server.repository('fight');
  const revision = repository.commit({ 'a.yaml': map('fought-for', { k: 'ours' }) });
  await follow('fight', { url: server.httpsUrl(repository) });
  await applied('fight', revision);
  const change = () => api.call('PATCH', `${MAPS}/fought-for`, { data: { k: 'theirs' } }, MERGE);
  const isOurs = async () => (await dataOf('fought-for'))?.['k'] === 'ours';
  await change();
  await until('it is put right at once', isOurs);
  await change();
  await when('fight', 'tells of it', (object) => conditionOf(object, 'Drifted')?.status === 'True');
  t.notOk(await isOurs());
  await until('it is put right later', isOurs);
});

t.test('what a rollout has undone is left so, until the next commit', async (t) => {
  const template = (image: string) => ({
    metadata: { labels: { app: 'undone' } },
    spec: { containers: [{ name: 'main', image }] },
  });
  const set = (image: string) => ({
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'undone', annotations: { 'fleet.holdfast.dev/rollout-policy': 'manual' } },
    spec: { selector: { matchLabels: { app: 'undone' } }, template: template(image) },
  });
  const rollouts = '/apis/fleet.holdfast.dev/v1/namespaces/default/rollouts';
  const atPhase = (name: string, phase: string) =>
    until(`${name} is ${phase}`, async () => {
      const found = await api.find<{ status?: { phase?: string } }>(`${rollouts}/${name}`);
      return found?.status?.phase === phase;
    });
  await api.call('POST', '/apis/fleet.holdfast.dev/v1/namespaces/default/rolloutpolicies', {
    metadata: { name: 'manual' },
    spec: { waves: [{ name: 'canary', limit: 1, approve: 'manual' }] },
  });
  const repository = server.repository('undone');
  const first = repository.commit({ 'a.yaml': set('app:1') });
  await follow('undone', { url: server.httpsUrl(repository) });
  await applied('undone', first);
  await until('its first revision is recorded', async () => {
    const path = '/apis/apps/v1/namespaces/default/controllerrevisions?labelSelector=app%3Dundone';
    return (await api.call<{ items: unknown[] }>('GET', path)).items.length === 1;
  });
  const bad = repository.commit({ 'a.yaml': set('app:2') });
  await ask('undone');
  await applied('undone', bad);
  await atPhase('undone-2', 'AwaitingApproval');
  const undo = [{ op: 'add', path: '/spec/actions', value: [{ type: 'undo' }] }];
  await api.call('PATCH', `${rollouts}/undone-2`, undo, { contentType: 'application/json-patch+json' });
  await atPhase('undone-3', 'Succeeded');
  const events =
    '/api/v1/namespaces/default/events?fieldSelector=involvedObject.name=undone,reason=DriftLeft';
  const [event] = await until('it is told', async () => {
    const { items } = await api.call<{ items: { message: string }[] }>('GET', events);
    return items.length > 0 ? items : undefined;
  });
  t.match(event?.message, /containers\[0\]\.image: rollout undone-2 has undone it$/);
  const found = await when('undone', 'tells', (object) => conditionOf(object, 'Drifted')?.status === 'True');
  t.equal(conditionOf(found, 'Ready')?.status, 'True');
  const { items } = await api.call<{ items: { metadata: { name: string } }[] }>('GET', rollouts);
  t.same(items.map(({ metadata }) => metadata.name).sort(), ['undone-2', 'undone-3']);
  repository.commit({ 'a.yaml': set('app:4') });
  await ask('undone');
  await atPhase('undone-4', 'AwaitingApproval');
});

t.test('what is written so is in the audit log, by the account', async (t) => {
  const lines = readFileSync(auditLog, 'utf8').trim().split('\n');
  const event = lines
    .map((line) => JSON.parse(line))
    .find(({ userAgent, objectRef }) => userAgent === 'holdfast-git' && objectRef.name === 'fought-for');
  t.match(event, {
    verb: 'patch',
    user: { username: `system:serviceaccount:default:${ADMIN}` },
    objectRef: { resource: 'configmaps', namespace: 'default' },
    responseStatus: { code: 200 },
  });
});

t.test('suspended, nothing happens', async (t) => {
  const repository = server.repository('suspended');
  const first = repository.commit({ 'a.yaml': map('asleep', { k: '1' }) });
  await follow('suspended', { url: server.httpsUrl(repository) });
  await applied('suspended', first);
  const suspend = (is: boolean) =>
    api.call('PATCH', `${SOURCES}/suspended`, { spec: { suspend: is } }, MERGE);
  await suspend(true);
  await failed('suspended', 'Suspended');
  const second = repository.commit({ 'a.yaml': map('asleep', { k: '2' }) });
  await ask('suspended');
  await api.call('PATCH', `${MAPS}/asleep`, { data: { k: 'mine' } }, MERGE);
  await suspend(false);
  const after = await applied('suspended', second);
  t.same(await dataOf('asleep'), { k: '2' });
  t.equal(after.status?.lastHandledReconcileAt, `${asked}`);
});

t.test('a manifest that is too large is not read', async (t) => {
  const repository = server.repository('huge');
  repository.commit({ 'a.yaml': `# ${'x'.repeat(3 * 1024 * 1024)}\n` });
  await follow('huge', { url: server.httpsUrl(repository) });
  const object = await failed('huge', 'ManifestsRefused');
  t.match(conditionOf(object, 'Ready')?.message, /^a\.yaml has \d+ bytes: at most 3145728 are read$/);
});

t.test('a Git server tells of a push', async (t) => {
  const repository = server.repository('hooked');
  const first = repository.commit({ 'a.yaml': map('hooked', { k: '1' }) });
  await secret('hook', { token: 'a shared secret' });
  await follow('hooked', {
    url: server.httpsUrl(repository),
    interval: '24h',
    webhook: { secretRef: { name: 'hook' } },
  });
  await applied('hooked', first);
  const body = JSON.stringify({ ref: 'refs/heads/main' });
  const sign = (key: string) => `sha256=${createHmac('sha256', key).update(body).digest('hex')}`;
  const post = (path: string, headers: object, text = body, method = 'POST') =>
    new Promise<{ code: number; text: string }>((resolve, reject) => {
      const url = `https://127.0.0.1:${hub.ports.api}${path}`;
      const call = send(url, { method, ca: api.caCertificate, headers: { ...headers } }, (answer) => {
        let got = '';
        answer.on('data', (chunk) => {
          got += chunk;
        });
        answer.on('end', () => resolve({ code: answer.statusCode ?? 0, text: got }));
      });
      call.on('error', reject);
      call.end(text);
    });
  const path = '/hooks/git/default/hooked';
  const unknown = await post('/hooks/git/default/nobody', { 'x-hub-signature-256': sign('a shared secret') });
  t.equal(unknown.code, 401);
  for (const [what, headers] of [
    ['no signature', {}],
    ['another secret', { 'x-hub-signature-256': sign('a guess') }],
    ['another token', { 'x-gitlab-token': 'a guess' }],
    ['an empty token', { 'x-gitlab-token': '' }],
  ] as const)
    t.same(await post(path, headers), unknown, `${what}: the same answer as for what is not there`);
  t.same(
    await post(path, { 'x-hub-signature-256': sign('a shared secret') }, `${body} `),
    unknown,
    'another body',
  );
  t.equal((await post(path, {}, '', 'GET')).code, 405);
  t.equal((await post('/hooks/git/default', {})).code, 404);
  t.equal((await post('/hooks/other', {})).code, 404);
  t.equal((await post(path, {}, 'x'.repeat(1024 * 1024 + 1)).catch(() => ({ code: 413 }))).code, 413);

  for (const [at, headers] of [
    { 'x-hub-signature-256': sign('a shared secret') },
    { 'x-holdfast-signature': sign('a shared secret') },
    { 'x-gitlab-token': 'a shared secret' },
  ].entries()) {
    const pushed = repository.commit({ 'a.yaml': map('hooked', { k: `pushed ${at}` }) });
    t.equal((await post(path, headers)).code, 202);
    await applied('hooked', pushed);
  }
});

t.test('a hub that was killed goes on where it was', async (t) => {
  const dir = t.testdir({});
  const kubeconfig = join(dir, 'kubeconfig.yaml');
  const start = async () => {
    const flags = ['api', 'grpc', 'mqtt'].flatMap((name) => [`--${name}-port`, '0']);
    const own = [
      '--data-dir',
      join(dir, 'hub'),
      '--bind-address',
      '127.0.0.1',
      '--write-kubeconfig',
      kubeconfig,
    ];
    const program = new Program('hub/main.ts', ['hub', ...own, ...flags]);
    await program.line(/the hub is ready/);
    return { program, client: ApiClient.fromKubeconfig(kubeconfig) };
  };
  let { program, client } = await start();
  t.teardown(async () => {
    server.isOnline = true;
    await program.end('SIGKILL');
  });
  const repository = server.repository('restart');
  const first = repository.commit({ 'a.yaml': map('kept', { k: '1' }) });
  await until('there is an account', () => client.find('/api/v1/namespaces/default/serviceaccounts/default'));
  const data = { ...server.credentials, 'ca.crt': server.certificate };
  await client.call('POST', SECRETS, { metadata: { name: 'https' }, stringData: data });
  await client.call('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: 'default' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ kind: 'ServiceAccount', name: 'default', namespace: 'default' }],
  });
  const spec = { url: server.httpsUrl(repository), secretRef: { name: 'https' }, prune: true };
  await client.call('POST', SOURCES, { metadata: { name: 'restart' }, spec });
  const now = () => client.call<GitSourceObject>('GET', `${SOURCES}/restart`);
  const has = (revision: string) =>
    until(`${revision} is applied`, async () => (await now()).status?.lastAppliedRevision === revision);
  await has(first);
  await program.end('SIGKILL');
  mkdirSync(join(dir, 'hub/git/left.keys-behind'));
  server.isOnline = false;

  ({ program, client } = await start());
  await until(
    'it cannot reach the repository',
    async () => conditionOf(await now(), 'Ready')?.reason === 'FetchFailed',
  );
  t.equal((await now()).status?.lastAppliedRevision, first);
  t.notOk(
    readdirSync(join(dir, 'hub/git')).includes('left.keys-behind'),
    'credentials that were left are gone',
  );
  await client.call('PATCH', `${MAPS}/kept`, { data: { k: 'wrong' } }, MERGE);
  await until('what it knows is put right all the same', async () => {
    const { data: found } = await client.call<{ data: { k: string } }>('GET', `${MAPS}/kept`);
    return found.k === '1';
  });
  server.isOnline = true;
  const second = repository.commit({ 'a.yaml': undefined, 'b.yaml': map('new', {}) });
  const annotations = { 'fleet.holdfast.dev/reconcile-at': 'now' };
  await client.call('PATCH', `${SOURCES}/restart`, { metadata: { annotations } }, MERGE);
  await has(second);
  t.notOk(await client.find(`${MAPS}/kept`), 'what was applied before the restart is pruned after it');
});

t.test('without a word from anybody, the repository is asked from time to time', async (t) => {
  await applied('polled', polledNext);
  t.same(await dataOf('polled'), { k: 'new' });
});
