import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseThresholds } from '../../../agent/eviction/thresholds.ts';
import { hugePages } from '../../../agent/node/huge-pages.ts';
import { allocatableOf, parseReserve, reserveProblem } from '../../../agent/resources/reserve.ts';

const device = {
  cpu: '2',
  memory: '524288Ki',
  pods: '110',
  'ephemeral-storage': '1000Ki',
  'holdfast.dev/x': '3',
};

t.test('what is for pods', async (t) => {
  const of = (reserve: string, thresholds = '', capacity: Record<string, string> = device) =>
    allocatableOf(capacity, parseReserve(reserve), parseThresholds(thresholds));
  t.same(of(''), device, 'all of it');
  t.same(of('cpu=100m,memory=64Mi', 'memory.available<32Mi,nodefs.available<10%,pid.available<5%'), {
    ...device,
    cpu: '1900m',
    memory: `${524288 - 96 * 1024}Ki`,
    'ephemeral-storage': '900Ki',
  });
  t.match(of('cpu=1'), { cpu: '1' });
  t.match(of('memory=1Gi'), { memory: '0Ki' }, 'more than there is');
  t.match(of('', '', { ...device, 'hugepages-2Mi': '64Mi' }), {
    memory: `${524288 - 64 * 1024}Ki`,
    'hugepages-2Mi': '64Mi',
  });
});

t.test('what can not be kept', async (t) => {
  t.equal(reserveProblem('cpu=100m,pid=100'), undefined);
  t.match(reserveProblem('disk=1Gi'), /must be of cpu, memory, ephemeral-storage, pid/);
  t.match(reserveProblem('cpu=much'), /must be quantities/);
});

t.test('huge pages that are set aside', async (t) => {
  const folder = t.testdir();
  const make = (size: string, count: number) => {
    mkdirSync(join(folder, `hugepages-${size}`));
    writeFileSync(join(folder, `hugepages-${size}`, 'nr_hugepages'), `${count}\n`);
  };
  make('2048kB', 33);
  make('1048576kB', 2);
  make('64kB', 0);
  t.same(hugePages(folder), { 'hugepages-2Mi': '66Mi', 'hugepages-1Gi': '2Gi' });
  t.same(hugePages(join(folder, 'none')), {});
});
