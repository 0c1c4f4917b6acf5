import t from 'tap';
import { Settling } from '../../../../hub/controllers/configuration-revision/settling.ts';

t.test('a change waits a moment for others, and a second one longer', async (t) => {
  let nowMs = 1_000_000;
  const settling = new Settling(() => nowMs);
  t.equal(settling.waitMs('a'), 1_000);
  nowMs += 400;
  t.equal(settling.waitMs('a'), 600, 'a change that follows prolongs nothing');
  t.equal(settling.waitMs('b'), 1_000, 'each on its own');
  nowMs += 600;
  t.equal(settling.waitMs('a'), 0);
  settling.taken('a');
  nowMs += 100;
  t.equal(settling.waitMs('a'), 4_900, 'no more than one in so long');
  nowMs += 4_900;
  t.equal(settling.waitMs('a'), 0);
  settling.taken('a');
  nowMs += 60_000;
  t.equal(settling.waitMs('a'), 1_000);
});

t.test('what was written back before it was taken leaves nothing', async (t) => {
  let nowMs = 0;
  const settling = new Settling(() => nowMs);
  settling.waitMs('a');
  nowMs += 500;
  settling.quiet('a');
  nowMs += 5_000;
  t.equal(settling.waitMs('a'), 1_000);
  settling.taken('a');
  settling.forget('a');
  t.equal(settling.waitMs('a'), 1_000, 'another of the same name');
});
