import { execFileSync } from 'node:child_process';
import t from 'tap';
import { PodNetwork } from '../../../agent/network/pod-network.ts';
import type { EngineNetwork } from '../../../agent/runtime/runtime.ts';
import { container, makePod, observed } from '../builders.ts';

const network: EngineNetwork = {
  ...{ name: 'holdfast-edge', bridge: 'hf-way-test', lasts: 'always' },
  ...{ subnet: '10.213.0.0/24', prefix: 24, gateway: '10.213.0.1' },
};
const maker = {
  hasBareNetworks: false,
  ensureNetwork: async () => network,
  holdNetwork: () => Promise.reject(new Error('nobody has to')),
};

const pods = new PodNetwork({ node: 'edge', maker, subnet: undefined });
let made = 0;
const typeOf = async (spec = {}) =>
  (await pods.namespaceFor(makePod(spec, { uid: `uid-${made++}` }))).network.type;
/** Of one whose network is not there. */
const connect = () =>
  pods.connect(observed(makePod(), { networkFile: '/run/netns/hf-way-none', podIp: '10.213.0.9' }));

t.test('who makes the network of a pod', async (t) => {
  t.equal(await typeOf(), 'named', 'the engine, for as long as there is no bridge');
  await t.rejects(connect());
  await t.test('the pod itself', async (t) => {
    execFileSync('ip', ['link', 'add', network.bridge, 'type', 'bridge']);
    t.teardown(() => execFileSync('ip', ['link', 'delete', network.bridge]));
    t.equal(await typeOf(), 'made-by-itself', 'as soon as there is one: also after somebody deleted it');
    t.equal(await typeOf({ hostNetwork: true }), 'host');
    const published = container('main', { ports: [{ containerPort: 80, hostPort: 80 }] });
    t.equal(await typeOf({ containers: [published] }), 'named', 'the engine publishes only what it has made');
    await t.rejects(connect());
    t.equal(await typeOf(), 'named', 'the engine, when pods cannot be joined');
    pods.forget();
    t.equal(await typeOf(), 'made-by-itself', 'it is tried again when the engine has started anew');
  });
  t.equal(await typeOf(), 'named', 'the bridge was deleted');
});
