import t from 'tap';
import { mergedNodeStatus, mergedPodStatus } from '../../../hub/link/merge-status.ts';
import { Sessions } from '../../../hub/link/sessions.ts';

const now = Date.parse('2026-01-02T00:00:00Z');
const old = '2026-01-01T00:00:00Z';
const condition = (type: string, status: string, lastTransitionTime?: string) => ({
  type,
  status,
  ...(lastTransitionTime && { lastTransitionTime }),
});

t.test('since when a condition holds follows from when it last did not', async (t) => {
  const before = {
    conditions: [condition('Ready', 'False', old), condition('ContainersReady', 'True', old)],
  };
  const observed = { conditions: [condition('Ready', 'True'), condition('ContainersReady', 'True')] };
  t.same(mergedPodStatus(before, observed, now).conditions, [
    condition('Ready', 'True', '2026-01-02T00:00:00Z'),
    condition('ContainersReady', 'True', old),
  ]);
  t.same(
    mergedPodStatus(undefined, observed, now).conditions?.[0],
    condition('Ready', 'True', '2026-01-02T00:00:00Z'),
  );
});

t.test('what the hub and others say of a pod stays', async (t) => {
  const before = {
    qosClass: 'Burstable',
    startTime: old,
    conditions: [condition('PodScheduled', 'True', old), condition('example.com/gate', 'True', old)],
  };
  const merged = mergedPodStatus(
    before,
    { phase: 'Running', startTime: '2026-01-02T00:00:00Z', conditions: [condition('PodScheduled', 'True')] },
    now,
  );
  t.match(merged, { phase: 'Running', qosClass: 'Burstable', startTime: old });
  t.same(merged.conditions, before.conditions);
});

t.test('a node keeps what its agent does not tell', async (t) => {
  const merged = mergedNodeStatus(
    { images: [], conditions: [condition('DiskPressure', 'False', old)] },
    { conditions: [condition('Ready', 'True')] },
    now,
  );
  t.same(
    merged.conditions?.map(({ type }) => type),
    ['DiskPressure', 'Ready'],
  );
  t.same(merged.images, []);
});

t.test('of a node the newest session counts; the end of an older one ends nothing', async (t) => {
  const sessions = new Sessions();
  const told: string[] = [];
  const closed: string[] = [];
  sessions.onChange((node, session) => told.push(`${node} ${session?.connectionId ?? 'gone'}`));
  const open = (connectionId: string) =>
    sessions.open({
      node: 'a',
      connectionId,
      transport: 'grpc',
      send: () => {},
      offer: () => {},
      close: () => closed.push(connectionId),
    });
  open('1');
  open('2');
  t.same(closed, ['1']);
  sessions.end('a', '1');
  t.equal(sessions.get('a')?.connectionId, '2');
  sessions.end('a', '2');
  t.equal(sessions.get('a'), undefined);
  t.same(told, ['a 1', 'a 2', 'a gone']);
});
