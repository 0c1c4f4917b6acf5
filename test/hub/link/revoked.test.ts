import { connectAsync } from 'mqtt';
import t from 'tap';
import { enrol } from '../../../agent/link/enrol.ts';
import { KEY_ANNOTATION, revokedKey } from '../../../hub/security/node-identity.ts';
import { parseJoinToken } from '../../../proto/join-token.ts';
import { topicOf } from '../../../proto/topics.ts';
import { startHubInProcess } from '../../support/hub-in-process.ts';

const NODE = 'device';

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
  const path = `/api/v1/nodes/${NODE}`;
  const node = (await hub.api.call('GET', path)) as { metadata: { annotations: Record<string, string> } };
  node.metadata.annotations[KEY_ANNOTATION] = revokedKey('2026-01-01T00:00:00Z');
  await hub.api.call('PUT', path, node);
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
  client.publish(topicOf(cluster, NODE, 'up'), 'anything', { qos: 1 }, () => undefined);
  await closed;
  await t.rejects(
    connectAsync({ ...server, ...tls, clientId: NODE, protocolVersion: 4, reconnectPeriod: 0 }),
    /Not authorized/,
    'nor on a new one',
  );
});
