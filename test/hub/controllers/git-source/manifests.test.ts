import t from 'tap';
import { parseYaml } from '../../../../hub/api/parse-yaml.ts';
import { readManifests } from '../../../../hub/controllers/git-source/manifests.ts';

const parse = (text: string) => parseYaml(text, 100_000);
const read = (text: string, path = 'a.yaml') => readManifests([{ path, text }], parse, 5);
const named = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n`;
const namesOf = ({ manifests }: ReturnType<typeof read>) => manifests.map(({ ref }) => ref.name);

for (const [what, text, names] of [
  ['one', named('a'), ['a']],
  ['several', `${named('a')}---\n${named('b')}`, ['a', 'b']],
  ['a mark with a comment', `--- # first\n${named('a')}---\t\n${named('b')}`, ['a', 'b']],
  ['Windows', `${named('a')}---\n${named('b')}`.replaceAll('\n', '\r\n'), ['a', 'b']],
  ['a byte order mark', `\ufeff${named('a')}`, ['a']],
  ['nothing', '', []],
  ['comments only', '# a\n---\n  # b\n...\n', []],
  ['null', '---\nnull\n', []],
  ['dashes that are no mark', `${named('a')}data:\n  x: |\n    ---\n    --- no\n`, ['a']],
  [
    'a list',
    `kind: List\napiVersion: v1\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: s}}\n`,
    ['s'],
  ],
  ['a list of a kind', 'kind: ConfigMapList\napiVersion: v1\nitems: []\n', []],
  [
    'a kind that ends in List without items',
    `apiVersion: x/v1\nkind: AllowList\nmetadata: {name: l}\n`,
    ['l'],
  ],
] as const)
  t.test(`${what} is read`, async (t) => {
    const found = read(text);
    t.same(found.failures, []);
    t.same(namesOf(found), names);
  });

t.test('JSON is read as it is', async (t) => {
  const object = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace: 'n' } };
  const { manifests } = read(JSON.stringify(object), 'a.json');
  t.match(manifests, [
    { file: 'a.json', ref: { apiVersion: 'v1', kind: 'Secret', name: 's', namespace: 'n' } },
  ]);
});

for (const [what, text, message] of [
  ['broken YAML, by its line in the file', `${named('a')}---\n# x\nkind: [\n`, /yaml: line [67]: /],
  ['a text', 'just words', /holds no object/],
  ['no kind', 'a: b', /no apiVersion and kind/],
  ['no name', 'apiVersion: v1\nkind: Secret', /a Secret without metadata\.name/],
  ['generateName', 'apiVersion: v1\nkind: Secret\nmetadata: {generateName: a-}', /without metadata\.name/],
  ['Kustomize', 'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization', /does not run here/],
  ['the same twice', `${named('a')}---\n${named('a')}`, /is in a\.yaml too/],
  ['a key twice', 'apiVersion: v1\nkind: A\nkind: B\nmetadata: {name: a}', /dupl/],
  [
    'aliases that grow',
    `apiVersion: v1\nkind: A\nmetadata: {name: a}\na: &a [x,x,x,x,x,x,x,x,x,x]\n${'bcdefghi'
      .split('')
      .map((name, index) => `${name}: &${name} [${`*${'abcdefghi'[index]},`.repeat(10)}]`)
      .join('\n')}`,
    /limit is 100000/,
  ],
] as const)
  t.test(`${what} is told of with its file`, async (t) => {
    const { failures } = read(text);
    t.match(failures, [{ file: 'a.yaml', message }]);
  });

t.test('what is wrong in one file keeps no other from being read', async (t) => {
  const files = [
    { path: 'a.yaml', text: 'a: [' },
    { path: 'b.yaml', text: named('b') },
  ];
  const found = readManifests(files, parse, 5);
  t.same(namesOf(found), ['b']);
  t.equal(found.failures.length, 1);
});

t.test('there is a limit', async (t) => {
  const found = read(['a', 'b', 'c', 'd', 'e', 'f'].map(named).join('---\n'));
  t.match(found, { manifests: [], failures: [{ message: /more than 5 objects/ }] });
  t.equal(namesOf(read(['a', 'b', 'c', 'd', 'e'].map(named).join('---\n'))).length, 5);
});
