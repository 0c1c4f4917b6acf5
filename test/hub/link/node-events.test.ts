import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { pino } from 'pino';
import t from 'tap';
import { StatusIntake } from '../../../hub/link/status-intake.ts';
import { StoreRegistry } from '../../../hub/registry/store-registry.ts';
import { events, namespaces, resources } from '../../../hub/resources/table-of-resources.ts';
import { SqliteStore } from '../../../hub/store/sqlite-store.ts';
import { StatusReportSchema } from '../../../proto/gen/holdfast/v1/link_pb.ts';

t.test('events of Nodes: a device tells those of its own', async (t) => {
  const store = SqliteStore.open(join(t.testdir(), 'hub.db'));
  const registry = new StoreRegistry({ store, definitions: resources, trackFields: () => undefined });
  t.teardown(() => {
    registry.close();
    store.close();
  });
  await registry.create(
    namespaces,
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } },
    { fieldManager: 'test' },
  );
  const intake = new StatusIntake(
    registry,
    { take: () => false, heardAll: () => {} },
    pino({ level: 'silent' }),
  );
  const told = { type: 'Normal', message: 'm', objectUid: 'u', count: 1, firstAtMs: 1n, lastAtMs: 1n };
  const event = (uid: string, kind: string, name: string, namespace: string) => ({
    ...told,
    uid,
    kind,
    name,
    namespace,
    reason: uid,
  });
  await intake.take(
    'mine',
    create(StatusReportSchema, {
      events: [
        event('own', 'Node', 'mine', ''),
        event('other', 'Node', 'other', ''),
        event('hidden', 'Node', 'mine', 'kube-system'),
        event('nowhere', 'Pod', 'p', ''),
        event('pod', 'Pod', 'p', 'default'),
      ],
    }),
  );
  const found = registry
    .list(events)
    .items.map(({ metadata, ...rest }) => [rest['reason'], metadata.namespace]);
  t.same(found.sort(), [
    ['own', 'default'],
    ['pod', 'default'],
  ]);
  const own = registry.list(events).items.find((each) => each['reason'] === 'own');
  t.same(
    own?.['involvedObject'],
    { apiVersion: 'v1', kind: 'Node', name: 'mine', uid: 'u' },
    'as kubectl looks for it',
  );
});
