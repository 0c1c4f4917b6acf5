import { createHmac } from 'node:crypto';
import t from 'tap';
import { Allowances } from '../../../hub/hooks/allowances.ts';
import { isFromServer } from '../../../hub/hooks/push-signature.ts';

const BODY = Buffer.from('{"ref":"refs/heads/main"}');
const signature = (secret: string, body = BODY) =>
  `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;

for (const [what, headers, secret, isRight] of [
  ['GitHub', { 'x-hub-signature-256': signature('s') }, 's', true],
  ['anybody', { 'x-holdfast-signature': signature('s') }, 's', true],
  ['GitLab', { 'x-gitlab-token': 's' }, 's', true],
  ['nobody', {}, 's', false],
  ['another secret', { 'x-hub-signature-256': signature('t') }, 's', false],
  ['another body', { 'x-hub-signature-256': signature('s', Buffer.from('x')) }, 's', false],
  ['no prefix', { 'x-hub-signature-256': signature('s').slice(7) }, 's', false],
  ['part of a token', { 'x-gitlab-token': 's' }, 'secret', false],
  ['no secret at all', { 'x-gitlab-token': '', 'x-hub-signature-256': signature('') }, '', false],
  ['two tokens', { 'x-gitlab-token': ['s', 's'] }, 's', false],
] as const)
  t.test(`a push told of by ${what}: ${isRight}`, async (t) => {
    t.equal(isFromServer(headers as never, BODY, secret), isRight);
  });

t.test('so many at once, then one a second, each for itself', async (t) => {
  let nowMs = 0;
  const allowances = new Allowances(() => nowMs);
  const taken = (who: string, times: number) =>
    Array.from({ length: times }, () => allowances.take(who)).filter(Boolean).length;
  t.equal(taken('a', 100), 60);
  t.equal(taken('b', 1), 1);
  nowMs += 5000;
  t.equal(taken('a', 100), 5);
  nowMs -= 60_000;
  t.equal(taken('a', 1), 0, 'a clock that goes back gives nothing');
  nowMs += 1e9;
  t.equal(taken('a', 100), 60);
});

t.test('it remembers so many, and no more', async (t) => {
  const allowances = new Allowances(() => 0);
  for (let each = 0; each < 60; each += 1) allowances.take('first');
  t.notOk(allowances.take('first'));
  for (let other = 0; other < 4096; other += 1) allowances.take(`${other}`);
  t.ok(allowances.take('first'), 'forgotten');
});
