import t from 'tap';
import { startEventExpiry } from '../../../hub/controllers/event-expiry.ts';
import { EventRecorder } from '../../../hub/controllers/event-recorder.ts';
import { events, nodes, pods } from '../../../hub/resources/table-of-resources.ts';
import type { EventObject } from '../../../hub/resources/typed.ts';
import { barePod, Cluster, openRegistry, silent } from './cluster.ts';

t.test('an event names its object, and the same words are counted', async (t) => {
  const cluster = new Cluster(await openRegistry(t));
  const { registry } = cluster;
  let nowMs = Date.parse('2026-01-01T00:00:00Z');
  const recorder = new EventRecorder({ registry, log: silent, now: () => nowMs });
  const pod = await cluster.create(pods, barePod('p'));
  const text = { type: 'Normal', reason: 'Scheduled', message: 'to n1' } as const;
  recorder.record('default-scheduler', pod, text);
  await cluster.until('it is there', () => cluster.list(events).length === 1);
  nowMs += 60_000;
  recorder.record('default-scheduler', pod, text);
  recorder.record('default-scheduler', pod, { ...text, message: 'to n2' });
  await recorder.stop();
  const found = cluster.list<EventObject>(events).toSorted((a, b) => (a.count ?? 0) - (b.count ?? 0));
  t.match(found, [
    { message: 'to n2', count: 1 },
    {
      message: 'to n1',
      count: 2,
      firstTimestamp: '2026-01-01T00:00:00Z',
      lastTimestamp: '2026-01-01T00:01:00Z',
      source: { component: 'default-scheduler' },
      involvedObject: {
        apiVersion: 'v1',
        kind: 'Pod',
        name: 'p',
        namespace: 'default',
        uid: pod.metadata.uid,
      },
    },
  ]);
  recorder.record('default-scheduler', pod, { ...text, message: 'too late' });
  t.equal(cluster.list(events).length, 2);
});

t.test(
  'one object cannot flood the store, and one without a namespace has its events in default',
  async (t) => {
    const cluster = new Cluster(await openRegistry(t));
    const recorder = new EventRecorder({ registry: cluster.registry, log: silent, now: () => 0 });
    const node = await cluster.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } });
    for (let index = 0; index < 100; index += 1)
      recorder.record('node-controller', node, { type: 'Normal', reason: 'Test', message: `${index}` });
    await recorder.stop();
    t.equal(cluster.list(events, 'default').length, 25);
  },
);

t.test('events end an hour after they were last seen: at start, and in their turn', async (t) => {
  const cluster = new Cluster(await openRegistry(t));
  const { registry } = cluster;
  let nowMs = Date.parse('2026-01-01T10:00:00Z');
  const event = (name: string, lastTimestamp: string) =>
    cluster.create(events, {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace: 'default' },
      involvedObject: { namespace: 'default' },
      lastTimestamp,
    });
  await event('old', '2026-01-01T08:59:59Z');
  await event('young', '2026-01-01T09:30:00Z');
  const context = {
    registry,
    log: silent,
    now: () => nowMs,
    events: new EventRecorder({ registry, log: silent, now: () => nowMs }),
  };
  const first = startEventExpiry(context);
  await cluster.until('the old one is gone', () => cluster.list(events).length === 1);
  await first.stop();
  t.ok(cluster.find(events, 'young'));

  const expiry = startEventExpiry(context, 100);
  t.teardown(() => expiry.stop());
  await cluster.until('that one is old now', () => cluster.list(events).length === 0);
  await event('new', '2026-01-01T09:59:59.950Z');
  nowMs += 60_000;
  await cluster.until('it is gone in its turn', () => cluster.list(events).length === 0);
});
