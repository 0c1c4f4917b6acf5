import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import t from 'tap';
import type { Pod } from '../../../agent/pod/pod.ts';
import { AccountTokens, type PodTokenRequest } from '../../../agent/reconcile/account-tokens.ts';
import { AgentState } from '../../../agent/state/agent-state.ts';
import { until } from '../../support/until.ts';
import { makePod, UID } from '../builders.ts';

/* When tokens are asked for, and where they are kept. */

const projected = (...tokens: object[]) => ({
  volumes: [
    {
      name: 'tokens',
      projected: { sources: tokens.map((token) => ({ serviceAccountToken: { path: 't', ...token } })) },
    },
  ],
});
const API = projected({ expirationSeconds: 3600 });

/** A device whose clock is moved by hand, and a hub that answers when it is told to. */
function device(t: Tap, spec: object = API) {
  const roots = { data: join(t.testdir(), 'data'), memory: join(t.testdirName, 'memory') };
  const state = AgentState.inMemory();
  const pods = new Map<string, Pod>([[UID, makePod({ serviceAccountName: 'robot', ...spec })]]);
  const clock = { ms: 1_000_000, wallMs: Date.parse('2026-01-01') };
  const asked: PodTokenRequest[] = [];
  const renewed: string[] = [];
  const finished = new Set<string>();
  const start = () =>
    new AccountTokens({
      ...{ state, roots, random: () => 1, monotonicMs: () => clock.ms },
      desired: { pods, unseal: (box: Uint8Array) => Buffer.from(box) },
      moment: () => ({ bootId: 'boot', uptimeMs: clock.ms, wallMs: clock.wallMs }),
      isFinished: (uid) => finished.has(uid),
      onToken: (uid) => renewed.push(uid),
      log: pino({ level: 'silent' }),
    });
  const tokens = start();
  t.teardown(() => tokens.close());
  const answer = (token: string, refusal = '') => {
    const [request] = asked.splice(0, 1);
    if (!request) throw new Error('nothing was asked');
    const lifeSeconds = refusal ? 0n : request.expirationSeconds;
    return { ...request, lifeSeconds, sealedToken: Buffer.from(token), refusal };
  };
  const pod = () => pods.get(UID) as Pod;
  return {
    ...{ tokens, pods, pod, clock, asked, renewed, finished, state, roots, answer, start },
    connect: (which = tokens) => which.begin((request) => asked.push(request)),
    isAsked: (what: string) => until(what, () => asked.length > 0),
    shown: async (which = tokens) => [...(await which.of(pod())).values],
    /** The clock goes on, and the timer that would be due is not waited for. */
    later: (seconds: number) => {
      clock.ms += seconds * 1000;
      tokens.wanted([UID]);
    },
  };
}
type Tap = { testdir(): string; testdirName: string; teardown(end: () => void): void };

/** Nothing is asked within a turn of all that is under way. */
const settled = () => new Promise((resolve) => setImmediate(() => setTimeout(resolve, 20)));

t.test('a pod waits for its token while the hub can be asked', async (t) => {
  const { connect, isAsked, tokens, answer, shown, renewed, asked, pod } = device(t);
  connect();
  const waiting = shown();
  await isAsked('the hub is asked');
  t.same(asked, [{ podUid: UID, audience: '', expirationSeconds: 3600n }]);
  tokens.take(answer('first'));
  t.same(await waiting, [['3600 ', 'first']]);
  t.same(renewed, [], 'who waits is not told besides');
  await settled();
  t.same(asked, [], 'and it is asked for once');
  t.equal((await tokens.of({ ...pod(), spec: { containers: [] } })).values.size, 0);
});

t.test('all that it asks for, each once', async (t) => {
  const two = projected(
    { expirationSeconds: 600, audience: 'a' },
    { expirationSeconds: 600, audience: 'b' },
    { expirationSeconds: 600, audience: 'a', path: 'again' },
  );
  const { connect, tokens, answer, shown, asked } = device(t, two);
  connect();
  const waiting = shown();
  await until('both are asked for', () => asked.length === 2);
  tokens.take(answer('A'));
  tokens.take(answer('B'));
  t.same(await waiting, [
    ['600 a', 'A'],
    ['600 b', 'B'],
  ]);
});

t.test('another is asked for before 80 % of its life are over', async (t) => {
  const { connect, isAsked, tokens, answer, shown, renewed, asked, later, finished } = device(t);
  connect();
  await isAsked('the first');
  tokens.take(answer('first'));
  await until('it is kept', async () => (await shown()).length === 1);
  later(3600 * 0.78);
  await settled();
  t.same(asked, [], 'not too early');
  later(3600 * 0.02);
  await isAsked('the second');
  t.same(await shown(), [['3600 ', 'first']], 'the first is good until the second is there');
  tokens.take(answer('second'));
  await until('the pod is told', () => renewed.length > 0);
  t.same(await shown(), [['3600 ', 'second']]);
  finished.add(UID);
  later(3600);
  await settled();
  t.same(asked, [], 'nobody reads those of a pod that has ended');
});

t.test('renewals are not written to flash', async (t) => {
  const { connect, isAsked, tokens, answer, later, state, roots, start, shown } = device(t);
  connect();
  await isAsked('the first');
  tokens.take(answer('first'));
  await until('it is stored', () => state.accountTokens(UID)?.includes('first'));
  later(3600);
  await isAsked('the second');
  tokens.take(answer('second'));
  await until('it is there', async () => (await shown())[0]?.[1] === 'second');
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  t.notMatch(state.accountTokens(UID), 'second');
  const next = start();
  t.teardown(() => next.close());
  t.same(await shown(next), [['3600 ', 'second']], 'another agent finds it');
  rmSync(join(roots.memory, 'pods', UID), { recursive: true });
  t.same(await shown(next), [['3600 ', 'first']], 'a device that was started anew has the one before');
  tokens.forget(UID);
  t.equal(state.accountTokens(UID), undefined);
});

t.test('without a connection', async (t) => {
  const { connect, isAsked, tokens, answer, later, asked, pod } = device(t);
  const { values, problem } = await tokens.of(pod());
  t.same(
    [values.size, problem],
    [0, 'the hub gives it as soon as it is reached'],
    'nobody waits for what cannot come',
  );
  connect();
  await isAsked('it is asked for');
  const cut = tokens.of(pod());
  await settled();
  tokens.end();
  t.equal((await cut).values.size, 0);
  asked.length = 0;
  connect();
  await isAsked('what was not answered is asked again');
  tokens.take(answer('first'));
  tokens.end();
  await settled();
  later(100_000);
  await settled();
  t.same(asked, []);
  t.equal((await tokens.of(pod())).values.get('3600 '), 'first', 'one that is over is there still');
  connect();
  await isAsked('and another is asked for');
});

t.test('what the hub refuses', async (t) => {
  const { connect, isAsked, tokens, answer, later, asked, pod, pods } = device(t);
  connect();
  const waiting = tokens.of(pod());
  await isAsked('it is asked for');
  tokens.take(answer('', 'no such account'));
  t.match(await waiting, { problem: 'no such account' });
  later(5);
  await settled();
  t.same(asked, [], 'not again at once');
  later(6);
  await isAsked('but later');
  pods.delete(UID);
  tokens.take(answer('late'));
  await settled();
  t.same((await tokens.of(makePod(API))).values.size, 0, 'of a pod that is gone nothing is kept');
});
