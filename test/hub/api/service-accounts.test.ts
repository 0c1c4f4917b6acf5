import { createPublicKey, type JsonWebKey, verify } from 'node:crypto';
import t from 'tap';
import { EventRecorder } from '../../../hub/controllers/event-recorder.ts';
import { startRootCertificatePublisher } from '../../../hub/controllers/root-certificate/root-certificate-publisher.ts';
import { startServiceAccountTokens } from '../../../hub/controllers/service-account-tokens/service-account-tokens.ts';
import type { KubeObject } from '../../../hub/resources/object.ts';
import {
  configMaps,
  nodes,
  pods,
  secrets,
  serviceAccounts,
} from '../../../hub/resources/table-of-resources.ts';
import type { ConfigMapObject, SecretObject } from '../../../hub/resources/typed.ts';
import { until } from '../../../scripts/until.ts';
import { silent } from '../controllers/cluster.ts';
import { grants } from './grants.ts';
import { startHub } from './test-hub.ts';

const PATIENCE_MS = 10_000;
const ACCOUNTS = '/api/v1/namespaces/default/serviceaccounts';
const REVIEWS = '/apis/authentication.k8s.io/v1';
const ISSUER = 'https://kubernetes.default.svc.cluster.local';
const BY_TEST = { fieldManager: 'test' };

let nowMs = Date.now();
const hub = await startHub(t, { now: () => nowMs });
const { roles, may } = grants(hub);
const { registry } = hub;
const context = { registry, log: silent, now: Date.now };
const controllers = [
  startRootCertificatePublisher(
    { ...context, events: new EventRecorder(context) },
    hub.authority.certificate,
  ),
  startServiceAccountTokens(
    { ...context, events: new EventRecorder(context) },
    {
      rootCertificate: hub.authority.certificate,
      issue: (account, secret) => hub.access.accountTokens.issueLegacy(account, secret),
    },
  ),
];
t.teardown(() => Promise.all(controllers.map((each) => each.stop())));
t.before(async () => {
  await hub.post(ACCOUNTS, { metadata: { name: 'robot' } });
  await hub.post(ACCOUNTS, { metadata: { name: 'other' } });
});

const ask = (spec: object = {}, name = 'robot') => hub.post(`${ACCOUNTS}/${name}/token`, { spec });
const whoAmI = (token: string) => hub.post(`${REVIEWS}/selfsubjectreviews`, {}, hub.bearer(token));
const payload = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());

async function tokenFor(spec: object = {}): Promise<string> {
  const { body } = await ask(spec);
  return body.status.token;
}

t.test('a token is its account, until its time is over', async (t) => {
  const answer = await ask({ expirationSeconds: 600 });
  t.match(answer, {
    code: 201,
    body: {
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      spec: { audiences: [ISSUER], expirationSeconds: 600 },
    },
  });
  const { token, expirationTimestamp } = answer.body.status;
  t.equal(Date.parse(expirationTimestamp), (Math.floor(nowMs / 1000) + 600) * 1000);
  const account = registry.get(serviceAccounts, 'default', 'robot');
  const claims = payload(token);
  t.match(claims, {
    iss: ISSUER,
    sub: 'system:serviceaccount:default:robot',
    aud: [ISSUER],
    'kubernetes.io': {
      namespace: 'default',
      serviceaccount: { name: 'robot', uid: account?.metadata.uid },
    },
  });
  t.same((await whoAmI(token)).body.status.userInfo, {
    username: 'system:serviceaccount:default:robot',
    uid: account?.metadata.uid,
    groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
    extra: { 'authentication.kubernetes.io/credential-id': [`JTI=${claims.jti}`] },
  });
  t.match(await hub.get('/api/v1/namespaces/default/pods', hub.bearer(token)), {
    code: 403,
    body: {
      message:
        'pods is forbidden: User "system:serviceaccount:default:robot" cannot list resource "pods" in API group "" in the namespace "default"',
    },
  });
  await roles('reader', [{ apiGroups: [''], resources: ['pods'], verbs: ['list'] }]);
  await may('reader', 'ServiceAccount', 'robot', 'default');
  t.equal((await hub.get('/api/v1/namespaces/default/pods', hub.bearer(token))).code, 200);

  const [head, body, signature = ''] = token.split('.');
  const forged = `${head}.${body}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
  t.equal((await whoAmI(forged)).code, 401, 'a forged one');
  const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.`;
  t.equal((await whoAmI(unsigned)).code, 401, 'one that nobody signed');
  nowMs += 601_000;
  t.equal((await whoAmI(token)).code, 401, 'a late one');
});

t.test('what is wrong with a request for one', async (t) => {
  const cases: [object, string][] = [
    [
      { expirationSeconds: 599 },
      'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes',
    ],
    [
      { expirationSeconds: 2 ** 32 + 1 },
      'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 4294967297: may not specify a duration larger than 2^32 seconds',
    ],
    [{ boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'none' } }, 'pods "none" not found'],
    [
      { boundObjectRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'x' } },
      'cannot bind token to object of type apps/v1, Kind=Deployment',
    ],
  ];
  for (const [spec, message] of cases) t.equal((await ask(spec)).body.message, message);
  t.match(await ask({}, 'nobody'), { code: 404, body: { message: 'serviceaccounts "nobody" not found' } });
});

t.test('a bound token goes with what it is bound to', async (t) => {
  const node = await registry.create(
    nodes,
    { apiVersion: 'v1', kind: 'Node', metadata: { name: 'edge' } },
    BY_TEST,
  );
  const pod = (name: string, serviceAccountName: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: { serviceAccountName, nodeName: 'edge', containers: [{ name: 'main', image: 'busybox:1' }] },
  });
  const { metadata } = await registry.create(pods, pod('worker', 'robot'), BY_TEST);
  await registry.create(pods, pod('stranger', 'other'), BY_TEST);
  const secret = await registry.create(
    secrets,
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'lock', namespace: 'default' } },
    BY_TEST,
  );
  const bound = (kind: string, name: string, uid?: string) =>
    ({ boundObjectRef: { apiVersion: 'v1', kind, name, ...(uid && { uid }) } }) as const;
  const toPod = await tokenFor(bound('Pod', 'worker', metadata.uid));
  t.match((await whoAmI(toPod)).body.status.userInfo.extra, {
    'authentication.kubernetes.io/pod-name': ['worker'],
    'authentication.kubernetes.io/pod-uid': [metadata.uid],
    'authentication.kubernetes.io/node-name': ['edge'],
    'authentication.kubernetes.io/node-uid': [node.metadata.uid],
  });
  t.match(await ask(bound('Pod', 'worker', 'x')), {
    code: 409,
    body: { message: /the UID in the bound object reference \(x\) does not match the UID in record/ },
  });
  t.match(await ask(bound('Pod', 'stranger')), {
    code: 400,
    body: {
      message: 'cannot bind token for serviceaccount "robot" to pod running with serviceaccount "other"',
    },
  });
  const toSecret = await tokenFor(bound('Secret', 'lock', secret.metadata.uid));
  const toNode = await tokenFor(bound('Node', 'edge'));
  for (const token of [toPod, toSecret, toNode]) t.equal((await whoAmI(token)).code, 201);
  await registry.delete(nodes, undefined, 'edge', {});
  t.equal((await whoAmI(toNode)).code, 401, 'the node is gone');
  t.equal((await whoAmI(toPod)).code, 201, 'the pod is not');
  await registry.delete(pods, 'default', 'worker', { gracePeriodSeconds: 0 });
  t.equal((await whoAmI(toPod)).code, 401, 'the pod is gone');
  await registry.delete(secrets, 'default', 'lock', {});
  t.equal((await whoAmI(toSecret)).code, 401, 'the secret is gone');
  await hub.post(ACCOUNTS, { metadata: { name: 'brief' } });
  const { token } = (await ask({}, 'brief')).body.status;
  await hub.delete(`${ACCOUNTS}/brief`);
  await hub.post(ACCOUNTS, { metadata: { name: 'brief' } });
  t.equal((await whoAmI(token)).code, 401, 'another account of the same name');
});

t.test('tokens for others, and who asks about them', async (t) => {
  const review = async (spec: object) => (await hub.post(`${REVIEWS}/tokenreviews`, { spec })).body.status;
  const elsewhere = await tokenFor({ audiences: ['vault'] });
  t.equal((await whoAmI(elsewhere)).code, 401, 'it is not meant for this API');
  t.match(await review({ token: elsewhere }), {
    user: {},
    error: /^\[token audiences \["vault"\] is invalid for the target audiences/,
  });
  t.match(await review({ token: elsewhere, audiences: ['vault', 'x'] }), {
    authenticated: true,
    user: { username: 'system:serviceaccount:default:robot' },
    audiences: ['vault'],
  });
  t.match(await review({ token: 'nonsense' }), { error: '[invalid bearer token]' });

  const someone = hub.bearer(await tokenFor());
  const configuration = await hub.get('/.well-known/openid-configuration', someone);
  t.match(configuration.body, {
    issuer: ISSUER,
    jwks_uri: /^https:\/\/.*\/openid\/v1\/jwks$/,
    id_token_signing_alg_values_supported: ['ES256'],
  });
  t.equal((await hub.get('/openid/v1/jwks', { agent: hub.stranger })).code, 403);
  const { body, headers } = await hub.get('/openid/v1/jwks', someone);
  t.equal(headers['content-type'], 'application/jwk-set+json');
  const [head, claims, signature = ''] = elsewhere.split('.');
  const [key] = body.keys as (JsonWebKey & { kid: string; d?: string })[];
  t.equal(key?.d, undefined, 'the public part only');
  const publicKey = createPublicKey({ key: key ?? {}, format: 'jwk' });
  const raw = Buffer.from(signature, 'base64url');
  const isGood = verify(
    'sha256',
    Buffer.from(`${head}.${claims}`),
    { key: publicKey, dsaEncoding: 'ieee-p1363' },
    raw,
  );
  t.ok(isGood, 'others can verify it by these keys');
  t.equal(JSON.parse(Buffer.from(head ?? '', 'base64url').toString()).kid, key?.kid);
});

t.test('Secrets of the old type are filled in, and go with their account', async (t) => {
  const make = (name: string, account: string) =>
    hub.post('/api/v1/namespaces/default/secrets', {
      metadata: { name, annotations: { 'kubernetes.io/service-account.name': account } },
      type: 'kubernetes.io/service-account-token',
    });
  const read = (name: string) => registry.get(secrets, 'default', name) as SecretObject | undefined;
  t.match(await make('anonymous', ''), {
    code: 422,
    body: { message: /metadata.annotations\[kubernetes.io\/service-account.name\]: Required value/ },
  });
  await make('robot-token', 'robot');
  t.ok(await until(() => read('robot-token')?.data?.['token'] !== undefined, PATIENCE_MS));
  const { data = {}, metadata } = read('robot-token') as SecretObject;
  const account = registry.get(serviceAccounts, 'default', 'robot');
  t.equal(metadata.annotations?.['kubernetes.io/service-account.uid'], account?.metadata.uid);
  t.equal(Buffer.from(data['namespace'] ?? '', 'base64').toString(), 'default');
  t.equal(Buffer.from(data['ca.crt'] ?? '', 'base64').toString(), hub.authority.certificate);
  const token = Buffer.from(data['token'] ?? '', 'base64').toString();
  t.equal((await whoAmI(token)).body.status.userInfo.username, 'system:serviceaccount:default:robot');
  await make('orphan', 'nobody');
  t.ok(await until(() => !read('orphan'), PATIENCE_MS), 'one of no account goes');
  await hub.delete('/api/v1/namespaces/default/secrets/robot-token');
  t.equal((await whoAmI(token)).code, 401, 'a token without its Secret');
  await make('robot-token', 'robot');
  t.ok(await until(() => read('robot-token')?.data?.['token'] !== undefined, PATIENCE_MS));
  await hub.delete(`${ACCOUNTS}/robot`);
  t.ok(await until(() => !read('robot-token'), PATIENCE_MS));
});

t.test('every namespace has the certificate of the CA', async (t) => {
  const read = (namespace: string) =>
    (registry.get(configMaps, namespace, 'kube-root-ca.crt') as ConfigMapObject | undefined)?.data?.[
      'ca.crt'
    ];
  await hub.post('/api/v1/namespaces', { metadata: { name: 'later' } });
  for (const name of ['default', 'later'])
    t.ok(await until(() => read(name) === hub.authority.certificate, PATIENCE_MS), name);
  const path = '/api/v1/namespaces/default/configmaps/kube-root-ca.crt';
  await hub.patch(path, 'merge', { data: { 'ca.crt': 'x' } });
  t.ok(await until(() => read('default') === hub.authority.certificate, PATIENCE_MS), 'put right');
  await hub.delete(path);
  t.ok(await until(() => read('default') === hub.authority.certificate, PATIENCE_MS), 'made again');
});

t.test('bootstrap tokens', async (t) => {
  await hub.post('/api/v1/namespaces', { metadata: { name: 'kube-system' } });
  const make = (id: string, data: Record<string, string> = {}) =>
    hub.post('/api/v1/namespaces/kube-system/secrets', {
      metadata: { name: `bootstrap-token-${id}` },
      type: 'bootstrap.kubernetes.io/token',
      stringData: {
        'token-id': id,
        'token-secret': '0123456789abcdef',
        'usage-bootstrap-authentication': 'true',
        'auth-extra-groups': 'system:bootstrappers:site',
        ...data,
      },
    });
  await make('aaaaaa', { expiration: new Date(nowMs + 60_000).toISOString() });
  await make('bbbbbb', { 'usage-bootstrap-authentication': 'false' });
  await make('cccccc', { expiration: new Date(nowMs - 1).toISOString() });
  await make('dddddd', { 'auth-extra-groups': 'system:masters' });
  const asToken = (id: string, secret = '0123456789abcdef') => whoAmI(`${id}.${secret}`);
  t.same((await asToken('aaaaaa')).body.status.userInfo, {
    username: 'system:bootstrap:aaaaaa',
    groups: ['system:bootstrappers', 'system:bootstrappers:site', 'system:authenticated'],
  });
  t.equal((await asToken('aaaaaa', '0123456789abcdee')).code, 401, 'another secret');
  for (const id of ['bbbbbb', 'cccccc', 'dddddd', 'eeeeee']) t.equal((await asToken(id)).code, 401, id);
  nowMs += 120_000;
  t.equal((await asToken('aaaaaa')).code, 401, 'its time is over');
});
