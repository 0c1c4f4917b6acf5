import t from 'tap';
import {
  configKeyErrors,
  environmentNameErrors,
  labelNameErrors,
  labelValueErrors,
  pathNameErrors,
  portNameErrors,
  portNumberErrors,
  qualifiedNameErrors,
  subdomainNameErrors,
} from '../../../hub/resources/names.ts';

const rules: [string, (name: string) => string[], string[], string[]][] = [
  [
    'label',
    labelNameErrors,
    ['a', 'a-1', '1a', 'x'.repeat(63)],
    ['', 'A', '-a', 'a-', 'a.b', 'a_b', 'x'.repeat(64), 'a\n'],
  ],
  [
    'subdomain',
    subdomainNameErrors,
    ['a.b', 'a', '1.2.3.4', 'x'.repeat(253)],
    ['', 'a..b', '.a', 'a.-b', 'A.b', 'x'.repeat(254)],
  ],
  ['path', pathNameErrors, ['system:node', 'A b'], ['.', '..', 'a/b', 'a%b']],
  [
    'qualified',
    qualifiedNameErrors,
    ['a', 'A_b.c', 'example.com/Name', 'x'.repeat(63)],
    ['', 'a/b/c', '/a', 'a/', 'X.y/a', 'a b', '-a', 'x'.repeat(64)],
  ],
  [
    'label value',
    labelValueErrors,
    ['', 'A', 'a.b_c-d', 'x'.repeat(63)],
    ['-a', 'a-', 'a b', 'a/b', 'x'.repeat(64)],
  ],
  ['environment', environmentNameErrors, ['A', 'a.b-c', '1', 'a b'], ['', 'a=b', 'ä', 'a\n']],
  ['config key', configKeyErrors, ['a', 'A_b.c-d', '.a'], ['', '.', '..', '..a', 'a/b', 'x'.repeat(254)]],
  ['port', portNameErrors, ['http', 'a1', 'http-2'], ['', '80', 'HTTP', 'a--b', '-a', 'a-', 'x'.repeat(16)]],
];

for (const [name, errorsOf, good, bad] of rules) {
  t.test(`${name} names`, async (t) => {
    for (const each of good) t.same(errorsOf(each), [], `${JSON.stringify(each)} is one`);
    for (const each of bad) t.not(errorsOf(each).length, 0, `${JSON.stringify(each)} is none`);
  });
}

t.test('messages are those that clients know', async (t) => {
  t.match(labelNameErrors('A')[0], /^a lowercase RFC 1123 label must consist of/);
  t.match(subdomainNameErrors('A')[0], /^a lowercase RFC 1123 subdomain must consist of/);
  t.match(qualifiedNameErrors('a b')[0], /^name part must consist of alphanumeric characters/);
  t.same(portNumberErrors(0), ['must be between 1 and 65535, inclusive']);
  t.same(portNumberErrors(65535), []);
});
