import t from 'tap';
import { answerOf, answerTo } from '../../proto/request-answer.ts';

t.test('an answer belongs to one request', async (t) => {
  const message = answerTo('one', 'no');
  t.equal(answerOf('one', message), 'no');
  t.equal(answerOf('two', message), undefined);
});
