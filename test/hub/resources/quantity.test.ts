import t from 'tap';
import {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  parseQuantity,
  type Quantity,
  toMilli,
  toNumber,
} from '../../../hub/resources/quantity.ts';

function quantity(text: string | number): Quantity {
  const parsed = parseQuantity(text);
  if (!parsed) throw new Error(`"${text}" is a quantity`);
  return parsed;
}

t.test('a quantity has one spelling', async (t) => {
  const cases: [string | number, string][] = [
    ['1', '1'],
    [2, '2'],
    [0.5, '500m'],
    ['1000m', '1'],
    ['0.1', '100m'],
    ['1500m', '1500m'],
    ['1000000', '1M'],
    ['1024', '1024'],
    ['1Ki', '1Ki'],
    ['1024Ki', '1Mi'],
    ['1.5Gi', '1536Mi'],
    ['0.5Gi', '512Mi'],
    ['0.1Ki', '102400m'],
    ['1e3', '1e3'],
    ['12E', '12E'],
    ['1E3', '1e3'],
    ['0', '0'],
    ['0Mi', '0'],
    ['-5Mi', '-5Mi'],
    ['-100m', '-100m'],
    ['+3k', '3k'],
    ['.5', '500m'],
    ['1.', '1'],
    ['0.0000000001', '1n'],
    ['100u', '100u'],
  ];
  for (const [given, spelling] of cases) {
    t.equal(canonicalQuantity(quantity(given)), spelling, `${given} is ${spelling}`);
    t.equal(canonicalQuantity(quantity(spelling)), spelling, `${spelling} stays`);
  }
});

t.test('what is no quantity is not taken for one', async (t) => {
  for (const text of ['', 'x', '1.2.3', '1 Gi', '1mi', '1KB', 'Ki', '--1', '1e', '0x10', '1e99999', '.'])
    t.equal(parseQuantity(text), undefined, JSON.stringify(text));
});

t.test('quantities compare and add exactly', async (t) => {
  const sign = (a: string, b: string) => compareQuantities(quantity(a), quantity(b));
  t.equal(sign('1', '1000m'), 0);
  t.equal(sign('1Gi', '1G'), 1);
  t.equal(sign('0.1', '100m'), 0);
  t.equal(sign('99999999999999999999', '100000000000000000000'), -1, 'beyond floating point');
  t.equal(canonicalQuantity(addQuantities(quantity('100m'), quantity('0.9'))), '1');
  t.equal(
    canonicalQuantity(addQuantities(quantity('0'), quantity('1Gi'))),
    '1Gi',
    'zero has no spelling of its own',
  );
});

t.test('numbers for machines are rounded up', async (t) => {
  t.equal(toMilli(quantity('250m')), 250);
  t.equal(toMilli(quantity('1.5')), 1500);
  t.equal(toMilli(quantity('1u')), 1);
  t.equal(toNumber(quantity('64Mi')), 67108864);
  t.equal(toNumber(quantity('1500m')), 2);
});
