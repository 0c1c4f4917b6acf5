import t from 'tap';
import { fieldsOfPath, findAll, parseJsonPath } from '../../../hub/custom-resources/json-path.ts';

const object = {
  spec: {
    a: 1,
    'b.c': 'dotted',
    list: [
      { name: 'x', n: 1 },
      { name: 'y', n: 5, deep: { ok: true } },
    ],
  },
  status: {
    conditions: [
      { type: 'Ready', status: 'True' },
      { type: 'Other', status: 'False' },
    ],
  },
};

t.test('paths lead to values', async (t) => {
  const rows: [path: string, found: unknown[]][] = [
    ['.spec.a', [1]],
    ['{.spec.a}', [1]],
    ['$.spec.a', [1]],
    ['.spec.b\\.c', ['dotted']],
    [".spec['b.c']", ['dotted']],
    ['.spec.list[0].name', ['x']],
    ['.spec.list[-1].name', ['y']],
    ['.spec.list[*].name', ['x', 'y']],
    ['.status.conditions[?(@.type=="Ready")].status', ['True']],
    [".status.conditions[?(@.type=='Ready')].status", ['True']],
    ['.status.conditions[?(@.type!="Ready")].status', ['False']],
    ['.spec.list[?(@.n > 2)].name', ['y']],
    ['.spec.list[?(@.deep.ok==true)].name', ['y']],
    ['.spec.list[?(@.deep)].name', ['y']],
    ['.spec.list[7].name', []],
    ['.spec.constructor', []],
    ['.missing.at.all', []],
  ];
  for (const [path, found] of rows) t.same(findAll(parseJsonPath(path) ?? [], object), found, path);
});

t.test('what is no path', async (t) => {
  for (const path of ['', '.spec[', '.spec[?(@.x==)]', '.a..', '.a b', '[?(]', `.${'a.'.repeat(3_000)}`])
    t.equal(parseJsonPath(path), undefined, path.slice(0, 20));
});

t.test('paths of nothing but fields', async (t) => {
  t.same(fieldsOfPath('.spec.replicas'), ['spec', 'replicas']);
  for (const path of ['spec.replicas', '.spec.list[0]', '.spec[*]'])
    t.equal(fieldsOfPath(path), undefined, path);
});
