import t from 'tap';
import { inputTo } from '../../../agent/network/links.ts';

/** More than a pipe holds: who writes it notices that nobody reads it. */
const LINES = Array.from({ length: 20_000 }, (_, index) => `line ${index}`);

t.test('a command that ends before it has read its input', async (t) => {
  await t.resolves(inputTo(['true'], LINES));
  await t.rejects(inputTo(['sh', '-c', 'echo no such network >&2; exit 3'], LINES), {
    code: 3,
    message: /no such network/,
  });
  await t.rejects(inputTo(['/no/such/program'], LINES), { code: 'ENOENT' });
});

t.test('a command that reads it all', async (t) => {
  await t.resolves(inputTo(['grep', '-q', '^line 19999$'], LINES));
  await t.rejects(inputTo(['grep', '^line 20000$'], LINES), { code: 1 });
});
