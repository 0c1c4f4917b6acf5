import t from 'tap';
import { EventRecorder } from '../../../agent/reconcile/event-recorder.ts';

const subject = {
  kind: 'Pod',
  namespace: 'default',
  name: 'web',
  uid: 'u',
  fieldPath: 'spec.containers{main}',
};
const TEN_MINUTES_MS = 600_000;

t.test('of many that only their messages tell apart, one is made', async (t) => {
  let nowMs = 1_000;
  const events = new EventRecorder(
    () => nowMs,
    () => {},
  );
  const record = (message: string, reason = 'Unhealthy') =>
    events.record(subject, 'Warning', reason, message);
  const taken = () =>
    events.take().events.map(({ reason, message, count }) => `${reason} ${count} ${message}`);
  for (let i = 0; i < 10; i += 1) record(`said ${i}`);
  record('said 3');
  t.equal(taken().length, 10, 'ten are told each by itself');
  for (let i = 10; i < 20; i += 1) record(`said ${i}`);
  t.same(taken(), ['Unhealthy 10 (combined from similar events): said 19']);
  record('said 3');
  record('something else', 'BackOff');
  t.same(
    taken(),
    ['BackOff 1 something else'],
    'what was told before is counted; other reasons are by themselves',
  );
  for (let i = 0; i < 12; i += 1) record(`said ${i}`, 'Other');
  t.equal(taken().length, 11);
  nowMs += TEN_MINUTES_MS;
  record('said 30');
  t.same(taken(), ['Unhealthy 1 said 30'], 'after a while they begin anew');
});
