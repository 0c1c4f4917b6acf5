import t from 'tap';
import { Limit } from '../../proto/limit.ts';

t.test('no more at once than may be, in the order they came, also when some fail', async (t) => {
  const limit = new Limit(2);
  const order: number[] = [];
  let running = 0;
  let most = 0;
  const task = (index: number) => async () => {
    order.push(index);
    most = Math.max(most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    if (index === 1) throw new Error('failed');
    return index;
  };
  const outcomes = await Promise.allSettled([0, 1, 2, 3, 4].map((index) => limit.run(task(index))));
  t.same(
    outcomes.map((each) => (each.status === 'fulfilled' ? each.value : String(each.reason))),
    [0, 'Error: failed', 2, 3, 4],
  );
  t.same(order, [0, 1, 2, 3, 4]);
  t.equal(most, 2);
});
