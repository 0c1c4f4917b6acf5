import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { timeText } from '../../agent/time-text.ts';

const ROOT = join(import.meta.dirname, '../..');

t.test('a time, to the second', async (t) => {
  const rows: readonly (readonly [what: string, wallMs: number, text: string])[] = [
    ['the first', 0, '1970-01-01T00:00:00Z'],
    ['before it', -1, '1969-12-31T23:59:59Z'],
    ['parts of a second are left out', Date.UTC(2026, 10, 9, 8, 7, 6, 999), '2026-11-09T08:07:06Z'],
    ['a leap day', Date.UTC(2028, 1, 29, 23, 59, 59), '2028-02-29T23:59:59Z'],
    ['a year of less than four digits', Date.parse('0090-05-04T00:00:00Z'), '0090-05-04T00:00:00Z'],
    ['the last that Kubernetes can read', Date.UTC(9999, 11, 31, 23, 59, 59), '9999-12-31T23:59:59Z'],
  ];
  for (const [what, wallMs, text] of rows) t.equal(timeText(wallMs), text, what);
  t.throws(() => timeText(Number.NaN), new RangeError('NaN is no time'));
});

t.test('nothing that a device always runs has V8 look up the names of time zones', async (t) => {
  const elsewhere = /^agent\/(commands|doctor)\//; // processes of their own, or a moment before the agent runs
  const sources = globSync('agent/**/*.ts', { cwd: ROOT }).filter((file) => !elsewhere.test(file));
  const found = sources.filter((file) => /\.toISOString\(/.test(readFileSync(join(ROOT, file), 'utf8')));
  t.ok(sources.length > 100);
  t.same(found, []);
});
