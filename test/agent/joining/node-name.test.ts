import { hostname } from 'node:os';
import t from 'tap';
import { nodeNameFrom, templateProblem } from '../../../agent/joining/node-name.ts';

const port = (address: string, isHardware = true) => ({
  address: `${address}\n`,
  ...(isHardware && { device: {} }),
});

const root = t.testdir({
  sys: {
    class: {
      dmi: { id: { product_serial: 'PF2XYZ\n' } },
      net: {
        lo: port('00:00:00:00:00:00', false),
        docker0: port('02:42:00:00:00:01', false),
        eth1: port('aa:bb:cc:00:00:02'),
        eth0: port('AA:BB:CC:00:00:01'),
      },
    },
  },
  etc: { 'machine-id': '0123456789abcdef0123456789abcdef\n' },
});

t.test('what a device knows of itself becomes its name', async (t) => {
  t.equal(nodeNameFrom('press-17', root), 'press-17');
  t.equal(nodeNameFrom('press-{serial}', root), 'press-pf2xyz');
  t.equal(nodeNameFrom('{mac}', root), 'aabbcc000001', 'of the first port that is hardware');
  t.equal(nodeNameFrom('d-{machine-id}', root), 'd-0123456789abcdef0123456789abcdef');
  t.equal(nodeNameFrom('{hostname}.site', root), `${hostname().toLowerCase()}.site`);
});

t.test('what it does not know is said', async (t) => {
  t.throws(() => nodeNameFrom('press-{serial}', '/nonexistent'), {
    message: 'the node name "press-{serial}" can not be made: this device has no serial',
  });
  t.throws(() => nodeNameFrom('{mac}', '/nonexistent'), { message: /has no mac/ });
});

t.test('templates', async (t) => {
  t.equal(templateProblem('press-{serial}-{mac}'), undefined);
  t.match(templateProblem('press-{imei}'), /must be text with \{hostname\}, \{serial\}.*, and has \{imei\}/);
  t.match(templateProblem('press-{constructor}'), /has \{constructor\}/);
  for (const wrong of ['press-{serial', 'press-}', '{{serial}}'])
    t.match(templateProblem(wrong), /must be text/);
});

t.test('a board without a BIOS has its number in the device tree', async (t) => {
  const board = t.testdir({
    sys: { firmware: { devicetree: { base: { 'serial-number': '10000000abc\0' } } } },
  });
  t.equal(nodeNameFrom('{serial}', board), '10000000abc');
});
