import t from 'tap';
import { Probes } from '../../../agent/pod/probes.ts';
import { until } from '../../support/until.ts';
import { container } from '../builders.ts';

t.test('containers that ran before the agent are not all asked at once', async (t) => {
  const asked: string[] = [];
  const beganMs = performance.now();
  const probes = new Probes({
    runtime: {
      exec: async (id, [command = '']) => {
        asked.push(`${id} ${command}`);
        return { exitCode: 0, output: '' };
      },
    },
    monotonicMs: () => performance.now() - beganMs,
    onChange: () => {},
    onFailure: () => {},
    onWarning: () => {},
  });
  t.teardown(() => probes.close());
  const probe = (command: string) => ({ exec: { command: [command] }, periodSeconds: 3 });
  const spec = container('main', { livenessProbe: probe('alive'), readinessProbe: probe('ready') });
  probes.watch({ id: 'new', container: spec, ip: '' });
  probes.watch({ id: 'old', container: spec, ip: '' }, true);
  const slow = { ...probe('slow'), initialDelaySeconds: 1_000 };
  probes.watch({ id: 'slow', container: container('slow', { livenessProbe: slow }), ip: '' }, true); // is not asked here
  await until('each was asked twice', () => asked.length >= 7);
  const order = [asked.slice(0, 3), asked.slice(3, 5), asked.slice(5, 7)].map((some) => some.toSorted());
  t.same(order, [
    ['new alive', 'new ready', 'old ready'], // whether one is ready must be known at once
    ['old alive', 'old ready'], // earlier in their periods
    ['new alive', 'new ready'],
  ]);
});
