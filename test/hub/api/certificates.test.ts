import 'reflect-metadata'; // the x509 package needs it loaded first
import { webcrypto } from 'node:crypto';
import { Agent } from 'node:https';
import * as x509 from '@peculiar/x509';
import t from 'tap';
import { startCertificateController } from '../../../hub/controllers/certificates/certificate-controller.ts';
import { EventRecorder } from '../../../hub/controllers/event-recorder.ts';
import { certificateSigningRequests, events, nodes } from '../../../hub/resources/table-of-resources.ts';
import type { CertificateSigningRequestObject } from '../../../hub/resources/typed.ts';
import { signRequest } from '../../../hub/security/certificate-signer.ts';
import { KEY_ANNOTATION } from '../../../hub/security/node-identity.ts';
import { until } from '../../../scripts/until.ts';
import { silent } from '../controllers/cluster.ts';
import { grants } from './grants.ts';
import { startHub, TestHub } from './test-hub.ts';

const REQUESTS = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
const CLIENT = 'kubernetes.io/kube-apiserver-client';
const NODE_CLIENT = 'kubernetes.io/kube-apiserver-client-kubelet';
const PATIENCE_MS = 10_000;
const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const RSA = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
};

const hub = await startHub(t);
const { registry } = hub;
const context = { registry, log: silent, now: Date.now };
const recorder = new EventRecorder(context);
const controller = startCertificateController({ ...context, events: recorder }, (spec) =>
  signRequest({ registry, ca: hub.authority }, spec),
);
t.teardown(() => controller.stop());

interface Wanted {
  readonly name: string;
  readonly subject: string;
  readonly signer?: string;
  readonly usages?: readonly string[];
  readonly algorithm?: typeof EC | typeof RSA;
  readonly names?: readonly string[];
  readonly expirationSeconds?: number;
}

/** Asks for a certificate. The key is PEM. */
async function ask({ name, subject, signer = CLIENT, usages = ['client auth'], ...more }: Wanted) {
  const { algorithm = EC, names = [], expirationSeconds } = more;
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
  const extensions =
    names.length > 0
      ? [new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value }) as const))]
      : [];
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name: subject,
    keys,
    signingAlgorithm: algorithm,
    extensions,
  });
  const answer = await hub.post(REQUESTS, {
    metadata: { name },
    spec: {
      request: Buffer.from(csr.toString('pem')).toString('base64'),
      signerName: signer,
      usages,
      ...(expirationSeconds && { expirationSeconds }),
    },
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return { answer, key: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n` };
}

const decision = (type: string) => ({
  status: { conditions: [{ type, status: 'True', reason: 'Tested', message: 'by a test' }] },
});
const approve = (name: string, agent?: Agent, type = 'Approved') =>
  hub.call('PATCH', `${REQUESTS}/${name}/approval`, {
    body: decision(type),
    headers: { 'content-type': 'application/merge-patch+json' },
    ...(agent && { agent }),
  });
const read = (name: string) =>
  registry.get(certificateSigningRequests, undefined, name) as CertificateSigningRequestObject | undefined;
const failure = (name: string) => read(name)?.status?.conditions?.find(({ type }) => type === 'Failed');

async function issued(name: string): Promise<string> {
  await approve(name);
  const certificate = await until(() => read(name)?.status?.certificate, PATIENCE_MS);
  return Buffer.from(String(certificate), 'base64').toString();
}

t.test('a certificate for a user, whatever the kind of key', async (t) => {
  for (const [name, algorithm] of [
    ['ann', EC],
    ['rob', RSA],
  ] as const) {
    const { answer, key } = await ask({
      name,
      algorithm,
      subject: `CN=${name}, O=people, O=staff`,
      expirationSeconds: 600,
      usages: ['client auth', 'digital signature', 'key encipherment'],
    });
    t.match(answer, { code: 201, body: { spec: { username: 'admin' } } });
    const pem = await issued(name);
    const certificate = new x509.X509Certificate(pem);
    t.ok(certificate.notAfter.getTime() <= Date.now() + 600_000, 'no longer than was asked for');
    const agent = new Agent({ key, cert: pem, ca: hub.authority.certificate, servername: 'localhost' });
    const { body } = await hub.post('/apis/authentication.k8s.io/v1/selfsubjectreviews', {}, { agent });
    t.same(body.status.userInfo, { username: name, groups: ['people', 'staff', 'system:authenticated'] });
    agent.destroy();
  }
  const told = () =>
    registry.list(events).items.some((event) => event['reason'] === 'Issued' && event['message'] !== '');
  t.ok(await until(told, PATIENCE_MS), 'an event tells of it');
});

t.test('who may approve', async (t) => {
  const { roles, may } = grants(hub);
  const eve = await TestHub.agentFor(hub.authority, 'eve', []);
  await ask({ name: 'decided', subject: 'CN=bob' });
  await roles('approver', [
    { apiGroups: ['certificates.k8s.io'], resources: ['certificatesigningrequests'], verbs: ['get'] },
    {
      apiGroups: ['certificates.k8s.io'],
      resources: ['certificatesigningrequests/approval'],
      verbs: ['patch', 'update'],
    },
  ]);
  await may('approver', 'User', 'eve');
  t.match(await approve('decided', eve), {
    code: 403,
    body: {
      message: `certificatesigningrequests.certificates.k8s.io "decided" is forbidden: user not permitted to approve requests with signerName "${CLIENT}"`,
    },
  });
  await roles('signer-approver', [
    {
      apiGroups: ['certificates.k8s.io'],
      resources: ['signers'],
      resourceNames: ['kubernetes.io/*'],
      verbs: ['approve'],
    },
  ]);
  await may('signer-approver', 'User', 'eve');
  t.equal((await approve('decided', eve, 'Denied')).code, 200);
  t.equal((await approve('decided')).code, 422, 'what is denied stays denied');
  t.equal(read('decided')?.status?.certificate, undefined);
  const masters = await ask({ name: 'masters', subject: 'CN=me, O=system:masters' });
  t.match(masters.answer, {
    code: 403,
    body: {
      message: `certificatesigningrequests.certificates.k8s.io "masters" is forbidden: use of ${CLIENT} signer with system:masters group is not allowed`,
    },
  });
  eve.destroy();
});

t.test('what is not signed', async (t) => {
  await registry.create(
    nodes,
    {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'pinned', annotations: { [KEY_ANNOTATION]: 'another' } },
      spec: {},
    },
    { fieldManager: 'test' },
  );
  const node = { signer: NODE_CLIENT, usages: ['client auth', 'digital signature'] };
  const cases: [Wanted, string][] = [
    [
      { name: 'server', subject: 'CN=x', usages: ['client auth', 'server auth'] },
      'invalid usage for client certificate: server auth',
    ],
    [
      { name: 'no-client', subject: 'CN=x', usages: ['digital signature'] },
      'missing required usage for client certificate: client auth',
    ],
    ...['system:node:x', 'system:holdfast:hub'].map((name, index): [Wanted, string] => [
      { name: `link-${index}`, subject: `CN=${name}` },
      `subject common name "${name}" is reserved: for nodes, ${NODE_CLIENT} signs`,
    ]),
    [
      { name: 'n1', subject: 'CN=system:node:x, O=people', ...node },
      'subject organization is not system:nodes',
    ],
    [
      { name: 'n2', subject: 'CN=x, O=system:nodes', ...node },
      'subject common name does not begin with system:node:',
    ],
    [
      { name: 'n3', subject: 'CN=system:node:x, O=system:nodes', names: ['x'], ...node },
      'DNS subjectAltNames are not allowed',
    ],
    [
      { name: 'n4', subject: 'CN=system:node:x, O=system:nodes', ...node, usages: ['client auth'] },
      'usages did not match [client auth digital signature key encipherment]',
    ],
    [
      { name: 'n5', subject: 'CN=system:node:pinned, O=system:nodes', ...node },
      'node "pinned" is enrolled with another key',
    ],
  ];
  for (const [wanted, message] of cases) {
    await ask(wanted);
    await approve(wanted.name);
    t.ok(await until(() => failure(wanted.name), PATIENCE_MS), wanted.name);
    t.match(failure(wanted.name), { status: 'True', reason: 'SignerValidationFailure', message });
  }
  await ask({ name: 'good-node', subject: 'CN=system:node:new, O=system:nodes', ...node });
  t.match(await issued('good-node'), /^-----BEGIN CERTIFICATE/);
  await ask({ name: 'foreign', subject: 'CN=x', signer: 'example.com/other' });
  await approve('foreign');
  await ask({ name: 'after', subject: 'CN=x' });
  await issued('after');
  t.same(Object.keys(read('foreign')?.status ?? {}), ['conditions'], 'left to its own signer');
});

t.test('the extended usages are checked, and the status is not for everybody to write', async (t) => {
  const { roles, may } = grants(hub);
  const eve = await TestHub.agentFor(hub.authority, 'mallory', []);
  await roles('status-writer', [
    {
      apiGroups: ['certificates.k8s.io'],
      resources: ['certificatesigningrequests/status'],
      verbs: ['patch'],
    },
  ]);
  await may('status-writer', 'User', 'mallory');
  await ask({ name: 'unsigned', subject: 'CN=x' });
  const answer = await hub.call('PATCH', `${REQUESTS}/unsigned/status`, {
    agent: eve,
    body: { status: { certificate: Buffer.from('x').toString('base64') } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  t.match(answer, {
    code: 403,
    body: {
      message: /user not permitted to sign requests with signerName "kubernetes.io\/kube-apiserver-client"$/,
    },
  });
  eve.destroy();
});
