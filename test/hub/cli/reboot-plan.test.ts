import t from 'tap';
import {
  exitCodeOf,
  isBack,
  outcomeText,
  planReboots,
  type RebootAnswer,
  type RebootOutcome,
  rebootWord,
  requestFor,
} from '../../../hub/cli/node/reboot-plan.ts';
import type { NodeObject } from '../../../hub/resources/typed.ts';
import { KEY_ANNOTATION, revokedKey } from '../../../hub/security/node-identity.ts';
import { answerTo } from '../../../proto/request-answer.ts';
import { NOW, NOW_MS, nodeOf } from './objects.ts';

function started(bootID: string, node: NodeObject = nodeOf('a')): NodeObject {
  const { nodeInfo, ...status } = node.status ?? {};
  return { ...node, status: { ...status, nodeInfo: { ...nodeInfo, bootID } } } as NodeObject;
}
const revoked = (node: NodeObject) =>
  ({
    ...node,
    metadata: { ...node.metadata, annotations: { [KEY_ANNOTATION]: revokedKey(NOW) } },
  }) as NodeObject;
const request = requestFor(started('first'), { id: 'x', nowMs: NOW_MS, timeoutMs: 300_000 });

t.test('who is asked', async (t) => {
  const dark = started('b', nodeOf('a', { ready: 'Unknown', since: '2026-01-01T11:55:00Z' }));
  const rows: [string, NodeObject, RegExp | undefined][] = [
    ['one that is there', started('b'), undefined],
    ['one whose engine is down', started('b', nodeOf('a', { ready: 'False' })), undefined],
    ['a dark one', dark, /^node a is not asked: it is dark 5m, and only a device that is connected can be$/],
    ['one that never came', { ...started('b'), status: {} }, /it is joining/],
    ['a revoked one', revoked(started('b')), /it is revoked/],
    ['one that tells no boot ID', started(''), /no boot ID.*--no-wait/],
  ];
  for (const [what, node, refusal] of rows) {
    const { ask, refusals } = planReboots([node], NOW_MS, true);
    t.equal(ask.length, refusal ? 0 : 1, what);
    if (refusal) t.match(refusals, [refusal], what);
  }
  t.equal(planReboots([started('')], NOW_MS, false).ask.length, 1, 'nobody waits for it');
});

t.test('a request, and how it ends', async (t) => {
  t.same(request, {
    id: 'x',
    at: '2026-01-01T12:00:00.000Z',
    until: '2026-01-01T12:05:00.000Z',
    bootId: 'first',
  });
  t.notOk(isBack(started('first'), request));
  t.notOk(isBack(started('second', nodeOf('a', { ready: 'False' })), request));
  t.ok(isBack(started('second'), request));
  t.notOk(isBack(started(''), request), 'an agent that does not know yet');
  const said = (reason: string, id = 'x') => rebootWord({ reason, message: answerTo(id, 'no') }, request);
  t.same(said('Rebooting'), { type: 'begun' });
  t.same(said('RebootRefused'), { type: 'over', reason: 'RebootRefused', message: 'no' });
  t.same(said('RebootFailed'), { type: 'over', reason: 'RebootFailed', message: 'no' });
  t.equal(said('RebootFailed', 'y'), undefined, 'of another request');
  t.equal(said('NodeReady'), undefined);
});

t.test('what is told of it', async (t) => {
  const rows: [RebootAnswer, RegExp][] = [
    [{ type: 'back' }, /^node a is back after 42s$/],
    [{ type: 'gone' }, /^node a was deleted/],
    [
      { type: 'refused', reason: 'RebootFailed', message: 'why' },
      /^node a does not reboot: RebootFailed: why$/,
    ],
    [{ type: 'late', hasBegun: true }, /^node a began to reboot, and is not Ready again after 42s$/],
    [{ type: 'late', hasBegun: false }, /^node a has not answered within 42s.*older/],
  ];
  for (const [outcome, text] of rows) t.match(outcomeText('a', outcome, request, NOW_MS + 42_000), text);
});

t.test('exit codes', async (t) => {
  const back: RebootOutcome = { type: 'back' };
  const refused: RebootOutcome = { type: 'refused', reason: '', message: '' };
  const late: RebootOutcome = { type: 'late', hasBegun: true };
  const code = (refusals: string[], ...outcomes: RebootOutcome[]) =>
    exitCodeOf({ ask: [], refusals }, outcomes);
  t.same(
    [
      code([], back),
      code(['dark'], back),
      code([], back, refused),
      code([], { type: 'not asked' }),
      code(['dark'], refused, late),
    ],
    [0, 1, 1, 1, 2],
  );
});
