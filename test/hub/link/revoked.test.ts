import { connectAsync } from 'mqtt';
import t from 'tap';
import { linksOf } from '../../../agent/device.ts';
import { enrol } from '../../../agent/link/enrol.ts';
import { KEY_ANNOTATION, revokedKey } from '../../../hub/security/node-identity.ts';
import { parseJoinToken } from '../../../proto/join-token.ts';
import { topicOf } from '../../../proto/topics.ts';
import { Fleet } from '../../../scripts/fleet-sim/fleet.ts';
import { Holdfast } from '../../support/holdfast.ts';
import { type HubInProcess, startHubInProcess } from '../../support/hub-in-process.ts';
import { until } from '../../support/until.ts';

const NODE = 'device';

async function revoke(hub: HubInProcess): Promise<void> {
  const path = `/api/v1/nodes/${NODE}`;
  const node = (await hub.api.call('GET', path)) as { metadata: { annotations: Record<string, string> } };
  node.metadata.annotations[KEY_ANNOTATION] = revokedKey('2026-01-01T00:00:00Z');
  await hub.api.call('PUT', path, node);
}

/** Far less than a silent connection lives. */
const AT_ONCE_MS = 5_000;

for (const transport of ['mqtt', 'grpc'] as const)
  t.test(`holdfast node revoke ends the connection of an agent at once, over ${transport}`, async (t) => {
    const hub = await startHubInProcess('--node-monitor-grace-period', '2');
    t.teardown(() => hub.close());
    const server = { host: '127.0.0.1', port: hub.ports.grpc };
    const fleet = await Fleet.start({ hub: server, token: await hub.token(1), size: 1, transport });
    t.teardown(() => fleet.close());
    const device = fleet.device('sim-0');
    t.equal(device.state, 'connected');
    const startedMs = performance.now();
    const over = device.disconnected();
    t.match(await new Holdfast(hub.kubeconfig).run('node revoke sim-0'), { code: 0, out: /sim-0 revoked/ });
    await over;
    t.ok(performance.now() - startedMs < AT_ONCE_MS, 'it does not wait for a silence to be noticed');
    const conditions = async () => {
      const node = await hub.api.call<{ status: { conditions: { type: string; status: string }[] } }>(
        'GET',
        '/api/v1/nodes/sim-0',
      );
      return node.status.conditions;
    };
    const isReady = async () =>
      (await conditions()).some((is) => is.type === 'Ready' && is.status === 'True');
    await until('the hub counts it as away', async () => !(await isReady()));
    t.equal(device.state, 'disconnected', 'and it is not let in again');
  });

t.test('a stream that was opened before, and begins to speak after, is not heard', async (t) => {
  const hub = await startHubInProcess();
  t.teardown(() => hub.close());
  const token = parseJoinToken(await hub.token(1));
  const identity = await enrol({ host: '127.0.0.1', port: hub.ports.grpc, node: NODE, token });
  const [load] = linksOf('grpc', identity);
  const link = await load?.();
  const heard: unknown[] = [];
  const hears = { onMessage: (message: unknown) => heard.push(message), onGarbage: () => undefined };
  const connection = await link?.open('late', hears, AbortSignal.timeout(AT_ONCE_MS));
  await revoke(hub);
  connection?.send({ case: 'hello', value: { sealingKey: new Uint8Array() } });
  t.type(await connection?.closed, Error);
  t.same(heard, [], 'no welcome, and no snapshot');
});

t.test('a device that is revoked can do nothing more on a connection that it keeps open', async (t) => {
  const hub = await startHubInProcess();
  t.teardown(() => hub.close());
  const token = parseJoinToken(await hub.token(1));
  const identity = await enrol({ host: '127.0.0.1', port: hub.ports.grpc, node: NODE, token });
  const { certificate: cert, key, caCertificate: ca, cluster } = identity;
  const server = { host: '127.0.0.1', port: hub.ports.mqtt, protocol: 'mqtts' } as const;
  const tls = { ca, cert, key };
  const client = await connectAsync({
    ...server,
    ...tls,
    clientId: NODE,
    protocolVersion: 4,
    reconnectPeriod: 0,
  });
  t.teardown(() => client.endAsync(true));
  await client.subscribeAsync(topicOf(cluster, NODE, 'down'), { qos: 1 });
  await client.publishAsync(topicOf(cluster, NODE, 'up'), 'anything', { qos: 1 });
  await revoke(hub);
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
  client.publish(topicOf(cluster, NODE, 'up'), 'anything', { qos: 1 }, () => undefined);
  await closed;
  await t.rejects(
    connectAsync({ ...server, ...tls, clientId: NODE, protocolVersion: 4, reconnectPeriod: 0 }),
    /Not authorized/,
    'nor on a new one',
  );
});
