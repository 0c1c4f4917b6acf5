import { execFileSync } from 'node:child_process';
import t, { type Test } from 'tap';
import { PodNetwork } from '../../../agent/network/pod-network.ts';
import type { EngineNetwork } from '../../../agent/runtime/runtime.ts';
import { container, makePod } from '../builders.ts';

const network: EngineNetwork = {
  ...{ name: 'holdfast-edge', bridge: 'hf-way-test', lasts: 'always' },
  ...{ subnet: '10.213.0.0/24', prefix: 24, gateway: '10.213.0.1' },
};
const maker = {
  hasBareNetworks: false,
  ensureNetwork: async () => network,
  holdNetwork: () => Promise.reject(new Error('nobody has to')),
};

function makeBridge(t: Test): void {
  execFileSync('ip', ['link', 'add', network.bridge, 'type', 'bridge']);
  t.teardown(deleteBridge);
}

function deleteBridge(): void {
  execFileSync('ip', ['link', 'delete', network.bridge]);
}

const pods = new PodNetwork({ node: 'edge', maker, subnet: undefined });
let made = 0;
const typeOf = async (spec = {}) =>
  (await pods.namespaceFor(makePod(spec, { uid: `uid-${made++}` }))).network.type;

t.test('who makes the network of a pod', async (t) => {
  t.equal(await typeOf(), 'named', 'the engine, for as long as there is no bridge');
  await t.test('the pod itself', async (t) => {
    makeBridge(t);
    t.equal(await typeOf(), 'made-by-itself', 'as soon as there is one: also after somebody deleted it');
    t.equal(await typeOf({ hostNetwork: true }), 'host');
    const published = container('main', { ports: [{ containerPort: 80, hostPort: 80 }] });
    t.equal(await typeOf({ containers: [published] }), 'named', 'the engine publishes only what it has made');
  });
  t.equal(await typeOf(), 'named', 'the bridge was deleted');
});
