import t from 'tap';
import type { DeviceUpdateObject } from '../../hub/fleet/device-update.ts';
import type { RolloutObject } from '../../hub/fleet/rollout.ts';
import type { PodObject } from '../../hub/resources/typed.ts';
import { Fleet } from '../../scripts/fleet-sim/fleet.ts';
import type { Scenario } from '../../scripts/fleet-sim/scenario.ts';
import { Holdfast } from '../support/holdfast.ts';
import { startHubInProcess } from '../support/hub-in-process.ts';
import { until } from '../support/until.ts';

/* What rollouts make of a node whose device is replaced: the new one is asked for itself. Real hub, simulated devices. */

const FLEET = '/apis/fleet.holdfast.dev/v1/namespaces/default';
const SETS = '/apis/apps/v1/namespaces/default/daemonsets';
const PODS = '/api/v1/namespaces/default/pods';
const SLOW_MS = 1_500;

const hub = await startHubInProcess('--node-monitor-grace-period', '2');
t.teardown(() => hub.close());
const holdfast = new Holdfast(hub.kubeconfig);

/** One device, as a fleet, for the node `${name}-0`. */
async function device(name: string, transport: 'mqtt' | 'grpc', token: string, scenario: Scenario) {
  const server = { host: '127.0.0.1', port: hub.ports.grpc };
  const own = { hub: server, kubeconfig: hub.kubeconfig, token, transport, scenario };
  const fleet = await Fleet.start({ ...own, namePrefix: `${name}-`, size: 1 });
  t.teardown(() => fleet.close());
  return fleet.device(`${name}-0`);
}

const broken: Scenario = { images: { 'app:3': { exit: { afterMs: 10, code: 3 } } } };
const devices = {
  a: await device('a', 'grpc', await hub.token(1), {}),
  b: await device('b', 'mqtt', await hub.token(1), broken),
};

async function replaced(name: 'a' | 'b', transport: 'mqtt' | 'grpc', scenario: Scenario) {
  const { out } = await holdfast.run(`node replace ${name}-0`);
  await devices[name].close();
  return device(name, transport, out.trim(), scenario);
}

const template = (image: string) => ({
  metadata: { labels: { app: 'app' } },
  spec: { containers: [{ name: 'main', image }] },
});
const setImage = (image: string) => {
  const change = { spec: { template: template(image) } };
  return hub.api.call('PATCH', `${SETS}/app`, change, { contentType: 'application/merge-patch+json' });
};
const statusOf = async (name: string) =>
  (await hub.api.find<RolloutObject>(`${FLEET}/rollouts/${name}`))?.status ?? {};
const succeeded = (name: string) =>
  until(`${name} is over`, async () => (await statusOf(name)).phase === 'Succeeded');
const rowOf = async (node: string) =>
  (await hub.api.find<DeviceUpdateObject>(`${FLEET}/deviceupdates/app.${node}`))?.spec;
const podsOn = async (node: string) => {
  const { items } = await hub.api.call<{ items: PodObject[] }>(
    'GET',
    `${PODS}?fieldSelector=spec.nodeName%3D${node}`,
  );
  return items.map(({ metadata }) => metadata.uid);
};
const explained = async (node: string) => (await holdfast.run(`rollout explain ${node} ds/app`)).out;

await hub.api.call('POST', `${FLEET}/rolloutpolicies`, {
  metadata: { name: 'p' },
  spec: {
    gates: { health: { minHealthy: '200ms', maxRestarts: 0, minAttempted: 1 } },
    onFail: 'continue',
  },
});
await hub.api.call('POST', SETS, {
  metadata: { name: 'app', annotations: { 'fleet.holdfast.dev/rollout-policy': 'p' } },
  spec: { selector: { matchLabels: { app: 'app' } }, template: template('app:1') },
});
await Promise.all([devices.a.runs('app:1'), devices.b.runs('app:1')]);

t.test('the revision that the device before took is the new one’s when it runs there', async (t) => {
  await setImage('app:2');
  await succeeded('app-2');
  t.match(await rowOf('a-0'), { step: 'Succeeded', reason: 'Healthy' });
  const before = await podsOn('a-0');
  t.equal(before.length, 1);
  const fresh = await replaced('a', 'grpc', { all: { startMs: SLOW_MS } });
  await until('its pod is not ready yet', async () => (await rowOf('a-0'))?.reason === 'NeverReady');
  t.match(
    await explained('a-0'),
    /does not have revision 2 of app, and waits: its pod .* has not been ready/,
  );
  t.match(await statusOf('app-2'), { devices: 2, succeeded: 1, pending: 1 });
  await fresh.runs('app:2');
  await until('it has it', async () => (await rowOf('a-0'))?.step === 'Succeeded');
  t.match(await explained('a-0'), /^a-0 has revision 2 of app since/);
  t.match(await statusOf('app-2'), { devices: 2, succeeded: 2, unhealthy: 0 });
  t.same(await podsOn('a-0'), before);
});

t.test('what the device before rejected is asked of the new one', async (t) => {
  await setImage('app:3');
  await succeeded('app-3');
  t.match(await rowOf('b-0'), { step: 'Rejected', reason: 'Restarts' });
  t.match(await explained('b-0'), /^b-0 rejected revision 3 of app/);
  t.match(await statusOf('app-3'), { succeeded: 1, failed: 1 });
  const fresh = await replaced('b', 'mqtt', {});
  await fresh.runs('app:3');
  await until('it has it', async () => (await rowOf('b-0'))?.step === 'Succeeded');
  t.match(await rowOf('b-0'), { reason: 'Healthy' });
  t.match(await explained('b-0'), /^b-0 has revision 3 of app since/);
  await until('all have it', async () => (await statusOf('app-3')).succeeded === 2);
  t.match(await statusOf('app-3'), { failed: 0 });
});
