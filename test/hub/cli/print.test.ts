import t from 'tap';
import { cut, tableText } from '../../../hub/cli/print.ts';

const TABLE = {
  head: ['NAME', 'PHASE', 'MESSAGE'],
  rows: [
    ['app-3', 'Paused', 'gate health: 2 of 2 devices did not take the revision'],
    ['app-2', 'Succeeded', ''],
  ],
};

t.test('columns are as wide as what is in them', async (t) => {
  t.equal(tableText({ head: ['A', 'LONG'], rows: [['value', 'x']] }), 'A       LONG\nvalue   x');
});

t.test('in a terminal no line is longer than it is wide: the widest column is cut', async (t) => {
  const text = tableText(TABLE, 40);
  t.ok(
    text.split('\n').every((line) => [...line].length <= 40),
    text,
  );
  t.match(text, /app-3 {3}Paused {6}gate health: .*…$/m);
  t.match(text, /app-2 {3}Succeeded$/m, 'the narrow ones are whole');
});

t.test('a terminal that is too narrow for anything', async (t) => {
  for (const columns of [1, 5, 12, 25])
    t.ok(
      tableText(TABLE, columns)
        .split('\n')
        .every((line) => [...line].length <= columns),
      `${columns}`,
    );
});

t.test('what devices say neither breaks lines nor moves the cursor', async (t) => {
  t.equal(tableText({ head: ['A'], rows: [['one\ntwo\u001b[2J\u009b1A']] }), 'A\none two [2J 1A');
});

t.test('a text is cut between characters', async (t) => {
  t.equal(cut('grüße', 4), 'grü…');
  t.equal(cut('😀😀😀', 2), '😀…');
  t.equal(cut('abc', 3), 'abc');
});
