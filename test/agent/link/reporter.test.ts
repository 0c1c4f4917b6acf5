import t from 'tap';
import type { UpMessage } from '../../../agent/link/link.ts';
import { type Reported, Reporter } from '../../../agent/link/reporter.ts';
import { EventRecorder } from '../../../agent/reconcile/event-recorder.ts';

const pod = (name: string, status: object = { phase: 'Running' }): Reported => ({
  kind: 'Pod',
  namespace: 'default',
  name,
  uid: name,
  status,
});
const gone = (name: string): Reported => ({ ...pod(name), status: undefined });
const turn = () => new Promise((resolve) => setImmediate(resolve));

function setUp(everything: Reported[]) {
  const sent: string[] = [];
  const events = new EventRecorder(
    () => 1,
    () => reporter.eventsWaiting(),
  );
  const reporter = new Reporter({ everything: () => everything, events });
  const send = (message: UpMessage) => {
    if (message.case !== 'statusReport') return;
    const { sequence, complete, objects = [], events: told = [] } = message.value;
    const names = objects.map(({ name, gone, staticPod, status }) =>
      [name, gone && 'gone', staticPod && 'own', staticPod && !status && 'not looked at']
        .filter(Boolean)
        .join(' '),
    );
    sent.push(
      [`${sequence}${complete ? ' all' : ''}`, ...names, ...told.map(({ reason }) => `event ${reason}`)].join(
        ', ',
      ),
    );
  };
  return { reporter, events, send, sent };
}

t.test('a connection begins with everything; then only what changes is told', async (t) => {
  const { reporter, send, sent } = setUp([pod('a'), pod('b')]);
  reporter.begin(send);
  t.same(sent, ['1 all, a, b']);
  reporter.acknowledged(1n);
  reporter.update(pod('a'));
  await turn();
  t.equal(sent.length, 1, 'nothing new');
  reporter.update(pod('a', { phase: 'Failed' }));
  await turn();
  t.same(sent.slice(1), ['2, a']);
});

t.test('one report is under way at a time; of what changes meanwhile the newest goes', async (t) => {
  const { reporter, send, sent } = setUp([pod('a')]);
  reporter.begin(send);
  reporter.update(pod('a', { phase: '1' }));
  reporter.update(pod('b'));
  reporter.update(pod('a', { phase: '2' }));
  await turn();
  t.equal(sent.length, 1);
  reporter.acknowledged(7n);
  t.equal(sent.length, 1, 'an answer to another report is none');
  reporter.acknowledged(1n);
  t.same(sent.slice(1), ['2, a, b']);
  reporter.update(pod('a', { phase: '3' }));
  reporter.update(pod('a', { phase: '2' }));
  reporter.acknowledged(2n);
  await turn();
  t.equal(sent.length, 2, 'what changed back is not told');
});

t.test('one can wait until the hub has heard, or cannot', async (t) => {
  const { reporter, events, send } = setUp([]);
  const subject = { kind: 'Node', namespace: '', name: 'a', uid: 'a', fieldPath: '' };
  events.record(subject, 'Normal', 'Early', 'x');
  await reporter.told();
  t.pass('nobody listens');
  reporter.begin(send);
  events.record(subject, 'Normal', 'Now', 'x');
  let isTold = false;
  const told = reporter.told().then(() => {
    isTold = true;
  });
  await turn();
  reporter.acknowledged(1n);
  await turn();
  t.notOk(isTold, 'the first report went before it');
  reporter.acknowledged(2n);
  await told;
  events.record(subject, 'Normal', 'Cut', 'x');
  const cut = reporter.told();
  reporter.end();
  await cut;
});

t.test('what is gone is told, and told anew when it comes again', async (t) => {
  const { reporter, send, sent } = setUp([pod('a')]);
  reporter.begin(send);
  reporter.acknowledged(1n);
  reporter.update(gone('a'));
  await turn();
  t.same(sent.at(-1), '2, a gone');
  reporter.acknowledged(2n);
  reporter.update(pod('a'));
  await turn();
  t.same(sent.at(-1), '3, a');
});

t.test('without a connection nothing piles up', async (t) => {
  const { reporter, send, sent } = setUp([pod('a')]);
  reporter.update(pod('a', { phase: 'x' }));
  await turn();
  reporter.begin(send);
  reporter.end();
  reporter.update(pod('a', { phase: 'y' }));
  await turn();
  reporter.begin(send);
  t.same(sent, ['1 all, a', '1 all, a']);
});

t.test('events are merged, bounded, and a gap is told', async (t) => {
  const { events, reporter, send, sent } = setUp([]);
  const subject = { kind: 'Pod', namespace: 'default', name: 'a', uid: 'a', fieldPath: '' };
  for (let i = 0; i < 3; i += 1) events.record(subject, 'Normal', 'Same', 'again');
  t.match(events.take().events, [{ reason: 'Same', count: 3 }]);
  t.same(events.take(), { events: [], dropped: 0 });
  for (let i = 0; i < 300; i += 1) events.record(subject, 'Normal', `Many${i}`, '');
  const { events: kept, dropped } = events.take();
  t.equal(kept.length, 256);
  t.equal(dropped, 44);
  reporter.begin(send);
  reporter.acknowledged(1n);
  events.record(subject, 'Warning', 'Late', 'x');
  await turn();
  t.same(sent.at(-1), '2, event Late');
});

t.test('pods of the device itself are told before it has looked, and until they are gone', async (t) => {
  const own = (status: object | undefined): Reported => ({
    ...pod('own'),
    status,
    staticPod: { kind: 'Pod' },
  });
  const { reporter, send, sent } = setUp([own(undefined)]);
  reporter.begin(send);
  reporter.acknowledged(1n);
  for (const [sequence, next] of [
    own({ phase: 'Running' }),
    own({ phase: 'Running' }),
    gone('own'),
  ].entries()) {
    reporter.update(next);
    await turn();
    reporter.acknowledged(BigInt(sequence + 2));
  }
  reporter.acknowledged(3n);
  t.same(sent, ['1 all, own own not looked at', '2, own own', '3, own gone']);
});
