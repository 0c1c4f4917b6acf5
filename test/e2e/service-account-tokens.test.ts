import { createHmac } from 'node:crypto';
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import t from 'tap';
import { Engine } from '../support/engine.ts';
import { makeAppImages } from '../support/images.ts';
import { listOf, podOf, SeenPods } from '../support/pods.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/* What pods are to the API: tokens that come over the link, are renewed, and are kept without a connection. */

const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
const DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount';
const RBAC = 'rbac.authorization.k8s.io';

const account = (name: string, rest: object = {}) => ({
  ...{ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: 'default' } },
  ...rest,
});
const mayReadPods = [
  {
    ...{ apiVersion: `${RBAC}/v1`, kind: 'Role', metadata: { name: 'reader', namespace: 'default' } },
    rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] }],
  },
  {
    ...{ apiVersion: `${RBAC}/v1`, kind: 'RoleBinding', metadata: { name: 'reader', namespace: 'default' } },
    roleRef: { apiGroup: RBAC, kind: 'Role', name: 'reader' },
    subjects: [{ kind: 'ServiceAccount', name: 'robot', namespace: 'default' }],
  },
];
const robot = podOf('robot', { main: {} }, { serviceAccountName: 'robot' });
const without = podOf('without', { main: {} }, { automountServiceAccountToken: false });
const forVault = (name: string) =>
  podOf(
    name,
    {
      main: {
        securityContext: { runAsUser: 1000 },
        volumeMounts: [{ name: 'vault', mountPath: '/vault' }],
      },
    },
    {
      automountServiceAccountToken: false,
      volumes: [
        {
          name: 'vault',
          projected: {
            sources: [{ serviceAccountToken: { path: 'token', audience: 'vault', expirationSeconds: 600 } }],
          },
        },
      ],
    },
  );

interface Claims {
  readonly aud: readonly string[];
  readonly exp: number;
  readonly iat: number;
  readonly sub: string;
  readonly 'kubernetes.io': { readonly pod: { readonly name: string; readonly uid: string } };
}
const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Claims;

t.test('tokens of service accounts', async (t) => {
  const stand = new Stand(engine, 'mqtt', 'device-tokens');
  const pods = new SeenPods(stand);
  t.teardown(() => stand.close());
  await makeAppImages(engine, [1]);
  await stand.start();
  const read = (pod: string, file: string) => pods.exec(pod, 'main', 'cat', file);
  const ask = (token: string, ca: string, path: string) => {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
    const headers = { authorization: `Bearer ${token}` };
    const url = `https://127.0.0.1:${stand.ports.api}${path}`;
    request(url, { ca, headers }, async (response) => {
      const chunks = (await response.toArray()) as Buffer[];
      resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() });
    })
      .on('error', reject)
      .end();
    return promise;
  };
  await stand.apply(listOf(account('robot'), ...mayReadPods, robot, without, forVault('vault')));

  await t.test('a pod is a client of the API', async (t) => {
    await pods.ready('robot');
    t.equal(await pods.exec('robot', 'main', 'ls', DIRECTORY), 'ca.crt     namespace  token');
    t.equal(await read('robot', `${DIRECTORY}/namespace`), 'default');
    const [token, ca] = [
      await read('robot', `${DIRECTORY}/token`),
      await read('robot', `${DIRECTORY}/ca.crt`),
    ];
    const { metadata } = await pods.get('robot');
    t.match(claimsOf(token), {
      sub: 'system:serviceaccount:default:robot',
      'kubernetes.io': { pod: { name: 'robot', uid: metadata?.uid }, node: { name: stand.node } },
    });
    const { status, body } = await ask(token, `${ca}\n`, '/api/v1/namespaces/default/pods/robot');
    t.equal(status, 200);
    t.match(JSON.parse(body), { metadata: { name: 'robot' } });
    t.equal((await ask(token, `${ca}\n`, '/api/v1/namespaces/default/secrets')).status, 403);
    const forged = `${token.slice(0, token.lastIndexOf('.'))}.${createHmac('sha256', 'x').digest('base64url')}`;
    t.equal((await ask(forged, `${ca}\n`, '/api/v1/namespaces/default/pods')).status, 401);
    t.match(await pods.exec('robot', 'main', 'busybox', 'env'), `KUBERNETES_SERVICE_PORT=${stand.ports.api}`);
  });

  await t.test('who does not want one has none', async (t) => {
    await pods.ready('without');
    await t.rejects(pods.exec('without', 'main', 'ls', DIRECTORY));
  });

  await t.test('audience, life and owner are as the pod says', async (t) => {
    await pods.ready('vault');
    const { aud, exp, iat } = claimsOf(await read('vault', '/vault/token'));
    t.same(aud, ['vault']);
    t.equal(exp - iat, 600);
    t.equal(
      await pods.exec('vault', 'main', 'busybox', 'stat', '-L', '-c', '%a %u', '/vault/token'),
      '600 1000',
    );
  });

  await t.test('it is in memory, and for root alone', async (t) => {
    const uid = (await pods.get('robot')).metadata?.uid ?? '';
    t.equal(statSync(join(stand.runDir, 'memory/pods', uid, 'tokens.json')).mode & 0o777, 0o600);
    t.notOk(existsSync(join(stand.agentDir, 'pods', uid, 'volumes')), 'there is no volume of it on the disk');
  });

  await t.test('it is there after a restart without a connection', async (t) => {
    const before = await read('robot', `${DIRECTORY}/token`);
    const { uid = '' } = (await pods.get('robot')).metadata ?? {};
    await until('the first token is stored', () => {
      // The write-ahead log has it before the database's own file does.
      const files = ['agent.db', 'agent.db-wal'].map((name) => join(stand.agentDir, name));
      return files.some((file) => existsSync(file) && readFileSync(file).includes(before));
    });
    await stand.cutLink();
    await stand.agent.end('SIGKILL');
    rmSync(join(stand.runDir, 'memory/pods', uid), { recursive: true }); // as after a restart of the device
    await stand.startAgent();
    const container = await pods.id('robot');
    await engine.kill(container);
    const after = await until('another runs', async () => {
      const id = await pods.id('robot');
      return id !== container ? id : undefined;
    });
    t.equal(await engine.exec(after, 'cat', `${DIRECTORY}/token`), before);
  });

  await t.test(
    'a pod that never had one waits for the hub, says so, and starts at once when it is there',
    async (t) => {
      await stand.restoreLink();
      // An account that was deleted after its pod was made, and before the pod came to a device.
      await stand.apply(account('late'));
      await stand.apply(
        podOf('late', { main: {} }, { serviceAccountName: 'late', nodeSelector: { none: 'yet' } }),
      );
      await stand.kubectl('delete', 'serviceaccount', 'late', '--wait');
      await stand.kubectl('label', 'node', stand.node, 'none=yet');
      const { state } = await pods.when('it waits', 'late', ({ state }) => state?.waiting?.message);
      t.equal(state?.waiting?.reason, 'ContainerCreating');
      t.match(
        state?.waiting?.message,
        /MountVolume.SetUp failed for volume "kube-api-access-.*" : there is no token of service account "late" on this device yet: serviceaccounts "late" not found/,
      );
      await until('there is an event', async () => (await pods.events('late')).includes('FailedMount'));
      await stand.apply(account('late'));
      await pods.ready('late');
    },
  );

  await t.test('it is worth nothing once the pod is gone', async (t) => {
    const [token, ca] = [
      await read('robot', `${DIRECTORY}/token`),
      await read('robot', `${DIRECTORY}/ca.crt`),
    ];
    await stand.kubectl('delete', 'pod', 'robot', '--wait', '--timeout=60s');
    t.equal((await ask(token, `${ca}\n`, '/api/v1/namespaces/default/pods')).status, 401);
  });
});
