import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import t from 'tap';
import { certificateRequest } from '../../../agent/link/certificate-request.ts';
import { pendingNamed, pendingTable } from '../../../hub/cli/node/pending-requests.ts';
import { nameProblem } from '../../../hub/link/enrolment-request.ts';
import { JoinRequests } from '../../../hub/link/join-requests.ts';
import { certificateSigningRequests } from '../../../hub/resources/table-of-resources.ts';
import type { CertificateSigningRequestObject } from '../../../hub/resources/typed.ts';
import { parseCertificateRequest } from '../../../hub/security/certificate-request.ts';
import { revokedKey } from '../../../hub/security/node-identity.ts';
import { EnrolRequestSchema } from '../../../proto/gen/holdfast/v1/enrolment_pb.ts';
import { openRegistry } from '../controllers/cluster.ts';

function device(node: string) {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicKey = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return { node, privateKey, publicKey, request: certificateRequest(node, privateKey, publicKey) };
}

t.test('the requests of agents are what PKCS #10 says, of names of any length', async (t) => {
  for (const node of ['a', 'press-17', `${'long.'.repeat(50)}end`]) {
    const { request, publicKey } = device(node);
    const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${request.toString('base64')}\n-----END CERTIFICATE REQUEST-----`;
    const parsed = parseCertificateRequest(Buffer.from(pem).toString('base64'));
    t.match(parsed, { commonName: `system:node:${node}`, organizations: ['system:nodes'] });
    t.ok(publicKey.equals(parsed?.publicKey ?? Buffer.of()));
    t.equal(await parsed?.isGenuine(), true);
  }
});

t.test('who may have a name', async (t) => {
  const replaces = (key: string) => ({ replaces: { node: 'n', key } });
  const rows: [string | undefined, Parameters<typeof nameProblem>[3], RegExp | undefined][] = [
    [undefined, {}, undefined],
    ['mine', {}, undefined],
    ['other', {}, /enrolled with another key/],
    ['other', replaces('other'), undefined],
    ['third', replaces('other'), /has had another device since/],
    [revokedKey('2026-01-01T00:00:00Z'), replaces('other'), undefined],
    [revokedKey('2026-01-01T00:00:00Z'), {}, /enrolled with another key/],
    [undefined, replaces('other'), undefined],
  ];
  for (const [known, terms, problem] of rows) {
    const found = nameProblem('n', known, 'mine', terms);
    if (problem) t.match(found, problem, `${known} ${JSON.stringify(terms)}`);
    else t.equal(found, undefined, `${known} ${JSON.stringify(terms)}`);
  }
});

const asked = (node: string) => {
  const { publicKey, request } = device(node);
  return create(EnrolRequestSchema, {
    nodeName: node,
    publicKey,
    sealingKey: Buffer.from('sealing key'),
    certificateRequest: request,
  });
};

t.test('so many may wait, each name once; who is decided about waits no more', async (t) => {
  const registry = await openRegistry(t);
  const requests = new JoinRequests({ registry, most: 2 });
  t.teardown(() => requests.close());
  const [one, two, three] = [asked('one'), asked('two'), asked('three')];
  const name = await requests.file(one, 'abc123');
  t.equal(requests.find(one), name);
  t.equal(requests.find(asked('one')), undefined, 'another device of that name');
  t.throws(() => requests.checkPlace(asked('one')), { reason: 'exists', message: /another device waits/ });
  requests.checkPlace(two);
  await requests.file(two, 'abc123');
  t.throws(() => requests.checkPlace(three), { reason: 'full', message: /2 devices wait for approval/ });
  const empty = { ...three, certificateRequest: new Uint8Array() };
  t.throws(() => requests.checkPlace(empty), { reason: 'invalid', message: /use a newer agent/ });
  const foreign = { ...three, certificateRequest: one.certificateRequest };
  t.throws(
    () => requests.checkPlace(foreign),
    { reason: 'invalid', message: /certificate request/ },
    'of another',
  );
  const waits = requests.decided(one, new AbortController().signal);
  const gone = new AbortController();
  const left = requests.decided(two, gone.signal);
  gone.abort(new Error('gone'));
  await t.rejects(left, { message: 'gone' });
  const conditions = [{ type: 'Denied', status: 'True', reason: 'X', message: 'no' }];
  await registry.modify(
    certificateSigningRequests,
    undefined,
    name,
    (current) => ({ ...(current as object), status: { conditions } }) as never,
    { fieldManager: 'test', subresource: 'approval' },
  );
  await t.rejects(waits, { reason: 'denied', message: /was denied: no/ });
  requests.checkPlace(three);
});

t.test('who is meant by a name', async (t) => {
  const waiting = (['a', 'b', 'b'] as const).map((node, index) => ({
    node,
    keyHash: `${index}`.repeat(64),
    request: {
      metadata: { name: `${node}-${index}`, creationTimestamp: '2026-01-01T00:00:00Z' },
    } as CertificateSigningRequestObject,
  }));
  t.equal(pendingNamed(['a'], waiting)[0], waiting[0]);
  t.equal(pendingNamed(['b-2'], waiting)[0], waiting[2]);
  t.throws(() => pendingNamed(['b'], waiting), {
    message: /several requests are for "b": name one of b-1, b-2/,
  });
  t.throws(() => pendingNamed(['c'], waiting), { message: /as "c": there wait a, b, b/ });
  t.throws(() => pendingNamed(['c'], []), { message: /there wait none/ });
  t.same(pendingTable(waiting.slice(0, 1), Date.parse('2026-01-01T00:05:00Z')).rows, [
    ['a', '0'.repeat(16), '', '5m', 'a-0'],
  ]);
});
