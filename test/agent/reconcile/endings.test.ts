import { pino } from 'pino';
import t from 'tap';
import { Endings } from '../../../agent/reconcile/endings.ts';
import { AgentState } from '../../../agent/state/agent-state.ts';

const log = pino({ level: 'silent' });
const verdict = { reason: 'Evicted', message: 'too much', graceSeconds: 1 };

t.test('what was decided outlives the agent, until nothing of the pod is left', async (t) => {
  const state = AgentState.inMemory();
  const endings = new Endings(state, log);
  endings.condemn('a', verdict);
  endings.finish('b', { phase: 'Failed' });
  const next = new Endings(state, log);
  t.same(next.verdictOf('a'), verdict);
  t.same([...next.finished()], ['b']);
  t.same(next.statusOf('b'), { phase: 'Failed' });
  next.forget('a');
  next.forget('b');
  t.equal(new Endings(state, log).verdictOf('a'), undefined);
  t.notOk(new Endings(state, log).isFinished('b'));
});

t.test('a full disk keeps nobody from being ended: it is written when there is room', async (t) => {
  const state = AgentState.inMemory();
  let isFull = true;
  const whenRoom =
    <A extends unknown[]>(save: (...args: A) => void) =>
    (...args: A) => {
      if (isFull) throw new Error('database or disk is full');
      save(...args);
    };
  const endings = new Endings(
    {
      finishedPods: () => state.finishedPods(),
      verdicts: () => state.verdicts(),
      forgetFinishedPod: (uid) => state.forgetFinishedPod(uid),
      forgetVerdict: (uid) => state.forgetVerdict(uid),
      saveFinishedPod: whenRoom((uid: string, status: string) => state.saveFinishedPod(uid, status)),
      saveVerdict: whenRoom((uid: string, json: string) => state.saveVerdict(uid, json)),
    },
    log,
  );
  endings.condemn('a', verdict);
  endings.finish('a', { phase: 'Failed' });
  endings.condemn('gone', verdict);
  t.same(endings.verdictOf('a'), verdict);
  endings.retry();
  t.equal(state.verdicts().size, 0);
  endings.forget('gone');
  isFull = false;
  endings.retry();
  t.same([...state.verdicts().keys()], ['a']);
  t.same([...state.finishedPods().keys()], ['a']);
});
