import t from 'tap';
import { hasFormat } from '../../../hub/custom-resources/formats.ts';

const ROWS: [format: string, valid: string[], invalid: string[]][] = [
  [
    'date-time',
    ['2026-01-01T00:00:00Z', '2026-01-01T00:00:00.5+01:00'],
    ['2026-01-01', 'now', '2026-13-01T00:00:00Z'],
  ],
  ['date', ['2026-02-28'], ['2026-02-30', '26-1-1']],
  ['duration', ['1h30m', '500ms', '3 days', '0'], ['soon', '1', 'h']],
  ['ipv4', ['10.0.0.1'], ['10.0.0.256', '::1']],
  ['ipv6', ['::1'], ['10.0.0.1']],
  ['cidr', ['10.0.0.0/8', 'fd00::/64'], ['10.0.0.0', '10.0.0.0/33']],
  ['uri', ['https://a.b/c', '/path'], ['not a uri']],
  ['email', ['a@b.c'], ['a', '@b']],
  ['hostname', ['a.example.com'], ['-a', 'a_b']],
  ['mac', ['00:11:22:aa:bb:cc'], ['00:11:22', 'zz:11:22:aa:bb:cc']],
  ['uuid', ['6ba7b810-9dad-11d1-80b4-00c04fd430c8'], ['6ba7b810']],
  ['uuid4', ['7d444840-9dc0-41d1-b245-5ffdce74fad2'], ['6ba7b810-9dad-11d1-80b4-00c04fd430c8']],
  ['byte', ['aGVsbG8='], ['aGVsbG8', '%']],
  ['hexcolor', ['#fff', '00ff00'], ['#ff']],
  ['rgbcolor', ['rgb(1,2,255)'], ['rgb(1,2,256)']],
  ['isbn10', ['0-306-40615-2'], ['0-306-40615-3']],
  ['isbn13', ['978-0-306-40615-7'], ['978-0-306-40615-8']],
  ['creditcard', ['4111 1111 1111 1111'], ['4111 1111 1111 1112']],
  ['ssn', ['123-45-6789'], ['12-345-6789']],
  ['bsonobjectid', ['507f1f77bcf86cd799439011'], ['507f']],
  ['k8s-short-name', ['a-b'], ['a.b', 'A']],
  ['k8s-long-name', ['a.b'], ['A.b']],
  ['unheard-of', ['anything'], []],
];

t.test('formats', async (t) => {
  for (const [format, valid, invalid] of ROWS) {
    for (const text of valid) t.ok(hasFormat(format, text), `${text} is ${format}`);
    for (const text of invalid) t.notOk(hasFormat(format, text), `${text} is not ${format}`);
  }
});
