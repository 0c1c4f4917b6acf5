import { once } from 'node:events';
import { Agent } from 'node:https';
import { type ConnectionOptions, connect } from 'node:tls';
import t from 'tap';
import { CertificateAuthority } from '../../../hub/security/certificate-authority.ts';
import { grants } from './grants.ts';
import { startHub, TestHub } from './test-hub.ts';

const forbidden = (message: string) => ({
  code: 403,
  body: { kind: 'Status', status: 'Failure', reason: 'Forbidden', message, code: 403 },
});

t.test('who shows nothing is nobody in particular, who shows something bad is refused', async (t) => {
  const hub = await startHub(t);
  const stranger = new Agent({ ca: hub.authority.certificate });
  t.match(
    await hub.get('/api/v1/pods', { agent: stranger }),
    forbidden(
      'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" at the cluster scope',
    ),
  );
  for (const path of ['/healthz', '/livez', '/readyz', '/version'])
    t.equal((await hub.get(path, { agent: stranger })).code, 200, `${path} is open`);
  t.match(
    await hub.get('/apis', { agent: stranger }),
    forbidden('forbidden: User "system:anonymous" cannot get path "/apis"'),
  );
  const unauthorized = { code: 401, body: { reason: 'Unauthorized', message: 'Unauthorized', code: 401 } };
  const authorization = 'Bearer nonsense';
  t.match(await hub.get('/healthz', { agent: stranger, headers: { authorization } }), unauthorized);

  const other = await CertificateAuthority.load(await CertificateAuthority.create('other'));
  const impostor = await TestHub.agentFor(other, 'admin', ['system:masters']);
  impostor.options.ca = hub.authority.certificate;
  t.match(await hub.get('/api/v1/pods', { agent: impostor }), unauthorized, 'another authority');
});

t.test('refusals, in full', async (t) => {
  const hub = await startHub(t);
  const user = await TestHub.agentFor(hub.authority, 'eve', ['people']);
  const cases: [string, string, string][] = [
    [
      'GET',
      '/api/v1/namespaces/n/pods/x',
      'pods "x" is forbidden: User "eve" cannot get resource "pods" in API group "" in the namespace "n"',
    ],
    [
      'DELETE',
      '/apis/apps/v1/namespaces/n/deployments/x',
      'deployments.apps "x" is forbidden: User "eve" cannot delete resource "deployments" in API group "apps" in the namespace "n"',
    ],
    [
      'GET',
      '/api/v1/nodes?watch=1',
      'nodes is forbidden: User "eve" cannot watch resource "nodes" in API group "" at the cluster scope',
    ],
    [
      'GET',
      '/api/v1/namespaces/n/pods/x/log',
      'pods "x" is forbidden: User "eve" cannot get resource "pods/log" in API group "" in the namespace "n"',
    ],
    [
      'GET',
      '/api/v1/namespaces/n/pods?fieldSelector=metadata.name%3Dx',
      'pods "x" is forbidden: User "eve" cannot list resource "pods" in API group "" in the namespace "n"',
    ],
    [
      'GET',
      '/api/v1/namespaces/n',
      'namespaces "n" is forbidden: User "eve" cannot get resource "namespaces" in API group "" in the namespace "n"',
    ],
    [
      'GET',
      '/apis/example.com/v1/things',
      'things.example.com is forbidden: User "eve" cannot list resource "things" in API group "example.com" at the cluster scope',
    ],
    ['GET', '/other', 'forbidden: User "eve" cannot get path "/other"'],
  ];
  for (const [method, path, message] of cases)
    t.match(await hub.call(method, path, { agent: user }), forbidden(message), path);
  t.equal((await hub.get('/apis', { agent: user })).code, 200, 'anybody known may see what there is');
  t.equal((await hub.get('/api/v1/pods')).code, 200, 'an administrator');
});

t.test('acting as somebody else', async (t) => {
  const hub = await startHub(t);
  const admin = { 'impersonate-user': 'eve' };
  t.match(
    await hub.get('/api/v1/pods', { headers: admin }),
    forbidden(
      'pods is forbidden: User "eve" cannot list resource "pods" in API group "" at the cluster scope',
    ),
  );
  const self = (headers: Record<string, string | string[]>) =>
    hub.post(
      '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      {},
      { headers: headers as Record<string, string> },
    );
  const seen = await self({
    'impersonate-user': 'eve',
    'impersonate-group': ['people', 'staff'],
    'impersonate-uid': '42',
    'impersonate-extra-example.com%2fscopes': ['a', 'b'],
  });
  t.same(seen.body.status, {
    userInfo: {
      username: 'eve',
      uid: '42',
      groups: ['people', 'staff', 'system:authenticated'],
      extra: { 'example.com/scopes': ['a', 'b'] },
    },
  });
  const account = await self({ 'impersonate-user': 'system:serviceaccount:default:robot' });
  t.same(account.body.status.userInfo.groups, [
    'system:serviceaccounts',
    'system:serviceaccounts:default',
    'system:authenticated',
  ]);
  const anonymous = await hub.get('/healthz', { headers: { 'impersonate-user': 'system:anonymous' } });
  t.equal(anonymous.code, 200);
  t.match(await self({ 'impersonate-group': 'people' }), {
    code: 500,
    body: { message: /without impersonating a user$/ },
  });
  const eve = await TestHub.agentFor(hub.authority, 'eve', []);
  const refusals: [Record<string, string>, string][] = [
    [
      { 'impersonate-user': 'bob' },
      'users "bob" is forbidden: User "eve" cannot impersonate resource "users" in API group "" at the cluster scope',
    ],
    [
      { 'impersonate-user': 'system:serviceaccount:n:robot' },
      'serviceaccounts "robot" is forbidden: User "eve" cannot impersonate resource "serviceaccounts" in API group "" in the namespace "n"',
    ],
  ];
  for (const [headers, message] of refusals)
    t.match(await hub.get('/api', { agent: eve, headers }), forbidden(message));
  const { roles, may } = grants(hub);
  await roles('actor', [{ apiGroups: [''], resources: ['users'], verbs: ['impersonate'] }]);
  await may('actor', 'User', 'eve');
  const asBob = { 'impersonate-user': 'bob' };
  t.equal((await hub.get('/api', { agent: eve, headers: asBob })).code, 200);
  for (const [header, message] of [
    [
      'impersonate-group',
      'groups "x" is forbidden: User "eve" cannot impersonate resource "groups" in API group "" at the cluster scope',
    ],
    [
      'impersonate-uid',
      'uids.authentication.k8s.io "x" is forbidden: User "eve" cannot impersonate resource "uids" in API group "authentication.k8s.io" at the cluster scope',
    ],
    [
      'impersonate-extra-scopes',
      'userextras.authentication.k8s.io "x" is forbidden: User "eve" cannot impersonate resource "userextras/scopes" in API group "authentication.k8s.io" at the cluster scope',
    ],
  ] as const)
    t.match(await hub.get('/api', { agent: eve, headers: { ...asBob, [header]: 'x' } }), forbidden(message));
});

t.test('a connection does not outlive its certificate', async (t) => {
  let nowMs = Date.now();
  const hub = await startHub(t, { now: () => nowMs });
  t.equal((await hub.get('/api/v1/nodes')).code, 200);
  nowMs += 2 * 86_400_000;
  t.equal((await hub.get('/api/v1/nodes')).code, 401);
});

t.test('the server', async (t) => {
  const hub = await startHub(t, {
    otherPaths: (request, response) => {
      if (request.url !== '/mine') return false;
      response.end('mine');
      return true;
    },
  });
  t.equal((await hub.get('/mine')).text, 'mine', 'serves other things on the same port');
  const { headers } = await hub.get('/api/v1/pods');
  t.match(headers, {
    'cache-control': 'no-cache, private',
    'content-type': 'application/json',
    'audit-id': /^[0-9a-f-]{36}$/,
  });
  t.match(await hub.get('/nothing'), {
    code: 404,
    body: { message: 'the server could not find the requested resource' },
  });
  t.equal((await hub.call('POST', '/version')).code, 405);
  t.equal((await hub.call('TRACE', '/api/v1/pods')).code, 400);
  const large = await hub.post('/api/v1/namespaces/default/configmaps', 'x'.repeat(3 * 1024 * 1024 + 1));
  t.match(large, { code: 413, body: { reason: 'RequestEntityTooLarge' } });
  t.equal((await hub.get('/version')).code, 200, 'and goes on');
});

t.test('who comes back with a resumed session is still known', async (t) => {
  const hub = await startHub(t);
  const agent = await TestHub.agentFor(hub.authority, 'admin', ['system:masters']);
  const { key, cert, ca } = agent.options;
  const ask = async (session?: Buffer) => {
    const options = { host: '127.0.0.1', port: hub.port, servername: 'localhost', key, cert, ca, session };
    const socket = connect(options as ConnectionOptions);
    let ticket: Buffer | undefined;
    socket.on('session', (given) => {
      ticket = given;
    });
    await once(socket, 'secureConnect');
    const isReused = socket.isSessionReused();
    socket.write('GET /api/v1/pods HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    let text = '';
    for await (const chunk of socket) text += chunk;
    return { text, isReused, session: ticket };
  };
  const first = await ask();
  const second = await ask(first.session);
  t.equal(second.isReused, true, 'the session was resumed');
  t.match(second.text, /^HTTP\/1\.1 200 /);
});

t.test('a bug is told to the operator, not to the client', async (t) => {
  const hub = await startHub(t, {
    health: {
      broken: () => {
        throw new Error('a secret');
      },
    },
  });
  const { code, body } = await hub.get('/readyz');
  t.equal(code, 500);
  t.match(body, { reason: 'InternalError', message: /^Internal error occurred: [0-9a-f-]{36}$/ });
  t.match(hub.errors, [{ message: 'a secret' }]);
});

t.test('closing does not wait for idle or silent connections', async (t) => {
  const hub = await startHub(t);
  const stream = await hub.watch('/api/v1/pods?watch=1');
  const silent = connect({
    host: '127.0.0.1',
    port: hub.port,
    ca: hub.authority.certificate,
    servername: 'localhost',
  });
  await once(silent, 'secureConnect');
  await hub.server.close();
  t.equal(await stream.next(), undefined, 'the watch has ended properly');
  silent.destroy();
});
