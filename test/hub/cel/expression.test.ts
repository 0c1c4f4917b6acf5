import t from 'tap';
import { Compiler } from '../../../hub/cel/expression.ts';
import { withinTime } from '../../../hub/cel/time-limit.ts';

class Port {
  readonly number: bigint;

  constructor(number = 0n) {
    this.number = number;
  }
}

const compiler = new Compiler({
  types: [{ name: 'Port', ctor: Port, fields: { number: 'int', name: 'string' } }],
  variables: { self: 'Port', ports: 'list<Port>', text: 'string', count: 'int' },
});
const variables = { self: new Port(80n), ports: [new Port(80n)], text: 'Abc-1', count: 3n };

/** What the expression evaluates to, or why it does not. */
function outcomeOf(expression: string): unknown {
  const compiled = compiler.compile(expression);
  try {
    return compiled.evaluate(variables);
  } catch (error) {
    return (error as Error).message.split('\n')[0];
  }
}

t.test('what rules of real definitions use', async (t) => {
  const rows: [expression: string, value: unknown][] = [
    ['self.number > 0 && self.number <= 65535', true],
    ['has(self.name)', false],
    ['self in ports', true],
    ['ports == [self]', true],
    ['ports.all(p, p.number > 0)', true],
    ['ports.map(p, p.number).sum() == 80', true],
    ['ports.filter(p, p.number == 80).size() == 1', true],
    ['text.matches("(?i)^ABC-[0-9]$")', true],
    ["'a.matches(x)' == 'a.matches(x)'", true],
    ['text.lowerAscii().replace("-", "_")', 'abc_1'],
    ['text.split("-")[1]', '1'],
    ['text.find("[0-9]+")', '1'],
    ['text.findAll("[A-Za-z]")', ['A', 'b', 'c']],
    ['text.charAt(0)', 'A'],
    ['text.reverse()', '1-cbA'],
    ['"%s has %d, %.2f".format([text, count, 1.5])', 'Abc-1 has 3, 1.50'],
    ['count > 2.5', true],
    ['[3, 1, 2].max()', 3n],
    ['[1, 2, 2].isSorted()', true],
    ['[1, 2].indexOf(2)', 1n],
    ['sets.contains([1, 2], [2])', true],
    ['sets.equivalent([1, 2], [2, 1, 1])', true],
    ['sets.intersects([1], [2])', false],
    ['math.greatest(1, 2)', 2n],
    ['isURL("https://a.b/c?d=e") && url("https://a.b:8443/c").getPort() == "8443"', true],
    ['url("https://a.b/c?d=e").getQuery()["d"][0]', 'e'],
    ['isIP("10.0.0.1") && ip("::1").isLoopback() && ip("10.0.0.1").family() == 4', true],
    ['cidr("10.0.0.0/8").containsIP("10.1.2.3") && !cidr("10.0.0.0/8").containsCIDR("0.0.0.0/0")', true],
    ['isQuantity("1Gi") && quantity("1Gi").isGreaterThan(quantity("1G"))', true],
    ['quantity("500m").add(quantity("500m")).compareTo(quantity("1"))', 0n],
    ['format.dns1123Label().validate("Not_One").hasValue()', true],
    ['duration("90m") > duration("1h")', true],
    ['timestamp("2026-01-01T00:00:00Z").getFullYear() == 2026', true],
    ['cel.bind(x, count + 1, x * x)', 16n],
    ['self.?name.orValue("none")', 'none'],
    ['type(count) == int', true],
    ['ports.all(i, p, i >= 0 && p.number > 0)', true],
    ['[1, 2, 3].exists(i, v, i == 2 && v == 3)', true],
    ['[0, 1].all(i, v, 1 / v > 0)', 'division by zero'],
    ['[0, 1].exists(i, v, 1 / v > 0)', true],
    ['[0, -1].all(i, v, 1 / v > 0)', false],
    ['[1, 1].existsOne(i, v, v == 1)', false],
    ['[1, 1].exists_one(i, v, i == v)', true],
    ['[[1, 2], [3]].all(i, row, row.all(j, v, v == i * 2 + j + 1))', true],
    ['[1, 2, 3].transformList(i, v, i * v)', [0n, 2n, 6n]],
    ['[1, 2, 3].transformList(i, v, i > 0, v)', [2n, 3n]],
    ['{"a": 1, "b": 2}.transformList(k, v, k)', ['a', 'b']],
    ['{"a": 1, "b": 2}.all(k, v, k != "c" && v < 3)', true],
    ['{"a": 1}.transformMap(k, v, v + 1) == {"a": 2}', true],
    ['{"a": 1, "b": 2}.transformMap(k, v, k == "b", v + 1)["b"]', 3n],
    ['{"a": 1}.transformMap(k, v, v + 1).a', 2n],
    ['["x", "y"].transformMap(i, v, v)[1]', 'y'],
    ['{1: 2}.all(k, v, k + 1 == v)', true],
    ['["x", "y"].transformMapEntry(i, v, {v: i}) == {"x": 0, "y": 1}', true],
    ['{"a": "x", "b": "y"}.transformMapEntry(k, v, k == "b", {v: k}).size()', 1n],
    ['["x", "x"].transformMapEntry(i, v, {v: i})', 'insert failed: key x already exists'],
  ];
  for (const [expression, value] of rows) t.same(outcomeOf(expression), value, expression);
});

t.test('what is not of one type, or not the language, is told when it is compiled', async (t) => {
  for (const [expression, why] of [
    ['self.nope == 1', /nope/],
    ['other', /Unknown variable: other/],
    ['text + 1', /no such overload/],
    ['1 ==', /Unexpected token/],
    ['text ? 1 : 2', /must be bool/],
    ['ports.all(1, p, true)', /takes the names of two variables/],
    ['count.all(i, p, true)', /can ?not be range of a comprehension/],
    ['ports.all(i, p, 1)', /predicate must return bool, got 'int'/],
    ['ports.transformMapEntry(i, p, 1)', /must make a map, got 'int'/],
    [`${'('.repeat(200)}1${')'.repeat(200)}`, /depth|limit|exceed/i],
    [`"${'x'.repeat(40_000)}"`, /characters/],
  ] as const)
    t.throws(() => compiler.compile(expression), { message: why }, expression.slice(0, 40));
});

t.test('which variables it names', async (t) => {
  t.ok(compiler.compile('ports.all(p, p.number == count)').uses('count'));
  t.notOk(compiler.compile('text == "count"').uses('count'));
});

t.test('an evaluation that takes too long is ended', async (t) => {
  const numbers = Array.from({ length: 5_000 }, (_, index) => BigInt(index));
  const endless = new Compiler({ variables: { numbers: 'list<int>' } }).compile(
    'numbers.all(a, numbers.all(b, numbers.all(c, a + b + c >= 0)))',
  );
  const startedMs = performance.now();
  t.throws(() => withinTime(() => endless.evaluate({ numbers }), 100), {
    code: 422,
    message: /more than 100 ms/,
  });
  t.ok(performance.now() - startedMs < 5_000);
  t.equal(
    withinTime(() => 1),
    1,
    'and the next is not',
  );
});
