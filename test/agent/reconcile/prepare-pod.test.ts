import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Configuration } from '../../../agent/pod/pod.ts';
import { makeExecutor } from '../../../agent/reconcile/execute.ts';
import type { ExecutorOptions } from '../../../agent/reconcile/execution.ts';
import { PodMemory } from '../../../agent/reconcile/pod-memory.ts';
import { makePod, UID } from '../builders.ts';

t.test('configuration that changes while the files are made is made after them', async (t) => {
  const roots = { data: join(t.testdir(), 'data'), memory: join(t.testdir(), 'memory') };
  const pod = makePod({ volumes: [{ name: 'settings', configMap: { name: 'settings' } }] });
  let color = 'blue';
  let lookedUp = Promise.withResolvers<void>();
  const desired: Configuration = {
    configMap: () => {
      lookedUp.resolve();
      return { data: { color } };
    },
    secret: () => undefined,
  } as unknown as Configuration;
  const executor = makeExecutor({
    ...{ desired, roots, allocatable: () => ({}), containers: { ofPod: () => [] } },
    tokens: { of: async () => ({ values: new Map(), problem: '' }) },
  } as unknown as ExecutorOptions);
  const memory = new PodMemory(0, 0);
  const prepare = () => executor.run({ type: 'prepare' }, { uid: UID, pod, memory, containers: [] });
  const shown = () => readFileSync(join(roots.data, `pods/${UID}/volumes/settings/color`), 'utf8');

  t.notOk(memory.prepared);
  await prepare();
  t.ok(memory.prepared);
  memory.startOver();
  t.notOk(memory.prepared);
  lookedUp = Promise.withResolvers();
  const making = prepare();
  await lookedUp.promise;
  color = 'green';
  memory.startOver(); // a newer desired state, of which the files that are being made know nothing
  await making;
  t.equal(shown(), 'blue');
  t.notOk(memory.prepared, 'so they are to be made again');
  await prepare();
  t.equal(shown(), 'green');
  t.ok(memory.prepared);
});
