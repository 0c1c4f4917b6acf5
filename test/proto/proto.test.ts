import { createPrivateKey } from 'node:crypto';
import t from 'tap';
import { canonicalJson } from '../../proto/canonical-json.ts';
import { enrolmentProof } from '../../proto/enrolment-proof.ts';
import { formatJoinToken, parseJoinToken } from '../../proto/join-token.ts';
import { newSealingKey, seal, unseal } from '../../proto/seal.ts';
import { compareVersions, compressObjects, decodeObjects, encodeObjects } from '../../proto/snapshot.ts';
import { everyNode, parseTopic, topicOf } from '../../proto/topics.ts';

t.test('topics are read as they are written', async (t) => {
  for (const channel of ['desired', 'down', 'up', 'presence'] as const) {
    t.same(parseTopic('c1', topicOf('c1', 'node.a', channel)), { node: 'node.a', channel });
  }
  t.equal(everyNode('c1', 'up'), 'holdfast/v1/c1/+/up');
  for (const other of [
    'holdfast/v1/c2/n/up',
    'holdfast/v1/c1/n/other',
    'holdfast/v1/c1/n/up/more',
    'holdfast/v1/c1//up',
    'holdfast/v1/c1/n',
    '$SYS/x',
  ]) {
    t.equal(parseTopic('c1', other), undefined, other);
  }
});

t.test('canonical JSON does not depend on the order of keys', async (t) => {
  t.equal(
    canonicalJson({ b: 1, a: { d: [{ y: 1, x: 2 }], c: undefined } }),
    '{"a":{"d":[{"x":2,"y":1}]},"b":1}',
  );
  t.equal(canonicalJson(JSON.parse('{"__proto__":{"b":1,"a":2}}')), '{"__proto__":{"a":2,"b":1}}');
});

t.test('objects are the same bytes in any order', async (t) => {
  const object = (kind: string, name: string) => ({ kind, metadata: { namespace: 'default', name } });
  const [a, b, c] = [object('Pod', 'a'), object('Pod', 'b'), object('ConfigMap', 'z')];
  t.ok(encodeObjects([a, b, c]).equals(encodeObjects([c, b, a])));
  t.same(decodeObjects(compressObjects(encodeObjects([b, c, a]))), [c, a, b]);
  t.same(decodeObjects(new Uint8Array()), []);
  t.throws(() => decodeObjects(compressObjects(Buffer.from('{}'))), /do not decode/);
});

t.test('versions', async (t) => {
  const version = (epoch: number, revision: number) =>
    ({ epoch: BigInt(epoch), revision: BigInt(revision) }) as Parameters<typeof compareVersions>[0];
  t.ok(compareVersions(undefined, version(0, 0)) < 0);
  t.ok(compareVersions(version(1, 2), version(1, 3)) < 0);
  t.ok(compareVersions(version(2, 1), version(1, 9)) > 0);
  t.equal(compareVersions(version(1, 2), version(1, 2)), 0);
});

t.test('a sealed box opens for its key, whole, and for no other', async (t) => {
  const { key, publicKey } = newSealingKey();
  const box = seal(Buffer.from('secret'), publicKey);
  t.equal(unseal(box, createPrivateKey(key)).toString(), 'secret');
  t.throws(() => unseal(box, createPrivateKey(newSealingKey().key)));
  const changed = Buffer.from(box);
  changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
  t.throws(() => unseal(changed, createPrivateKey(key)));
  t.throws(() => unseal(box.subarray(0, 20), createPrivateKey(key)), /cut short/);
  t.notOk(
    Buffer.from(box).equals(Buffer.from(seal(Buffer.from('secret'), publicKey))),
    'no two boxes are alike',
  );
});

t.test('join tokens', async (t) => {
  const token = { caHash: 'a'.repeat(64), credential: `abc123.${'x'.repeat(32)}` };
  t.same(parseJoinToken(` ${formatJoinToken(token)}\n`), token);
  for (const wrong of [
    '',
    'HF1',
    formatJoinToken({ ...token, caHash: 'zz' }),
    `${formatJoinToken(token)}x`,
  ]) {
    t.throws(() => parseJoinToken(wrong), /it must look like HF1<64 hex digits>/, wrong);
  }
});

t.test('a proof of possession is bound to every part of its request', async (t) => {
  const request = { token: 't', nodeName: 'n', publicKey: Buffer.from('p'), sealingKey: Buffer.from('s') };
  const proof = Buffer.from(enrolmentProof(request));
  t.ok(proof.equals(enrolmentProof({ ...request })));
  t.notOk(proof.equals(enrolmentProof({ ...request, token: 'tn', nodeName: '' })), 'borders count');
  t.notOk(proof.equals(enrolmentProof({ ...request, sealingKey: Buffer.from('x') })));
});
