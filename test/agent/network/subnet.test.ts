import t from 'tap';
import { freeAddress, isIn, parseSubnet, type Subnet } from '../../../agent/network/subnet.ts';

const subnet = (text: string) => parseSubnet(text) as Subnet;

t.test('what is a network', async (t) => {
  t.same(subnet('172.18.0.0/16'), { base: 0xac120000, prefix: 16 });
  t.same(subnet('10.1.2.77/24'), subnet('10.1.2.0/24'), 'an address in it means it');
  for (const text of [
    '',
    '10.0.0.0',
    '10.0.0/8',
    '10.0.0.256/8',
    '10.0.0.0/31',
    '10.0.0.0/x',
    'fd00::/64',
    '1.2.3.4/-1',
  ])
    t.equal(parseSubnet(text), undefined, text);
});

t.test('the next address', async (t) => {
  const rows: [string, string[], string | undefined][] = [
    ['10.0.0.0/24', [], '10.0.0.2'],
    ['10.0.0.0/24', ['10.0.0.2', '10.0.0.3'], '10.0.0.4'],
    ['10.0.0.0/24', ['10.0.0.3'], '10.0.0.2'],
    [
      '255.255.255.0/29',
      ['255.255.255.2', '255.255.255.3', '255.255.255.4', '255.255.255.5'],
      '255.255.255.6',
    ],
    ['10.0.0.0/30', ['10.0.0.2'], undefined],
    ['172.18.255.248/29', [2, 3, 4, 5].map((n) => `172.18.255.${248 + n}`), '172.18.255.254'],
  ];
  for (const [text, taken, expected] of rows)
    t.equal(freeAddress(subnet(text), new Set(taken)), expected, `${text} without ${taken}`);
  const first = Array.from({ length: 254 }, (_, n) => `10.0.0.${n + 2}`);
  t.equal(freeAddress(subnet('10.0.0.0/16'), new Set(first)), '10.0.1.0', 'beyond the last number');
});

t.test('what is in a network', async (t) => {
  for (const [address, expected] of [
    ['10.0.0.2', true],
    ['10.0.0.254', true],
    ['10.0.0.0', false],
    ['10.0.0.1', false],
    ['10.0.0.255', false],
    ['10.0.1.2', false],
    ['9.255.255.255', false],
    ['', false],
  ] as const)
    t.equal(isIn(subnet('10.0.0.0/24'), address), expected, address);
});
