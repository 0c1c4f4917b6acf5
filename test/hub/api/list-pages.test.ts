import t from 'tap';
import { ListPages } from '../../../hub/api/list-pages.ts';
import { pods, secrets } from '../../../hub/resources/table-of-resources.ts';

const items = ['a', 'b', 'c', 'd'].map((name) => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name } }));
const newest = () => ({ resource: pods, namespace: undefined, items, revision: 7 });
const list = { ...newest(), newest };

t.test('what was asked for last is kept longest', async (t) => {
  let nowMs = 0;
  const pages = new ListPages(() => nowMs);
  const { token = '' } = pages.first(list, 1);
  t.equal(pages.next(token, list, 1).items[0]?.metadata.name, 'b');
  t.equal(pages.next(token, list, 1).items[0]?.metadata.name, 'b', 'a page may be asked for twice');
  for (let index = 0; index < 199; index++) pages.first(list, 1);
  t.equal(pages.next(token, list, 1).remaining, 2, 'as one of two hundred');
  for (let index = 0; index < 200; index++) pages.first(list, 1);
  t.throws(() => pages.next(token, list, 1), { code: 410 }, 'then others need the place');
  const { token: late = '' } = pages.first(list, 1);
  nowMs = 5 * 60_000;
  t.equal(pages.next(late, list, 1).remaining, 2);
  nowMs = 10 * 60_000 + 1;
  t.throws(() => pages.next(late, list, 1), { code: 410 }, 'five minutes after the last page');
});

t.test('tokens that are none', async (t) => {
  const pages = new ListPages(() => 0);
  const { token = '' } = pages.first(list, 1);
  t.throws(() => pages.next(token, { ...list, resource: secrets }, 1), { code: 400 });
  t.throws(() => pages.next(token, { ...list, namespace: 'n' }, 1), { code: 400 });
  for (const bad of [
    'x',
    Buffer.from('{}').toString('base64url'),
    Buffer.from('{"id":"a","start":-1}').toString('base64url'),
  ])
    t.throws(() => pages.next(bad, list, 1), { code: 400 }, bad);
  t.same(pages.first(newest(), 0), { items, revision: 7, remaining: 0, token: undefined }, 'no limit');
});
