import { join } from 'node:path';
import t from 'tap';
import { Clock, clockCondition, notBeforeMs } from '../../../agent/node/clock.ts';
import { type NodeFacts, nodeReport } from '../../../agent/node/facts.ts';
import { deviceTreeModel } from '../../../agent/node/slow-facts.ts';
import { CertificateAuthority } from '../../../hub/security/certificate-authority.ts';

const AT = '2026-11-01T12:00:00Z';
const facts: NodeFacts = {
  node: 'edge',
  hostIp: '10.0.0.7',
  agentVersion: 'v1.2.3',
  engine: undefined,
  engineError: undefined,
  slow: undefined,
  capacity: { cpu: '4', memory: '512Mi' },
  allocatable: { cpu: '3900m', memory: '416Mi' },
  bootId: 'boot',
  images: undefined,
  conditions: [],
  now: AT,
};

t.test('what a device says of its Node', async (t) => {
  const slow = {
    osImage: 'Debian GNU/Linux 13 (trixie)',
    machineId: 'm',
    systemUuid: 'u',
    model: 'Raspberry Pi 4 Model B Rev 1.5',
    diskBytes: 2048,
  };
  const images = [{ names: ['app:1'], sizeBytes: 5 }];
  const { labels, status } = nodeReport({ ...facts, slow, images });
  t.match(labels, {
    'kubernetes.io/os': 'linux',
    'kubernetes.io/hostname': 'edge',
    'node.kubernetes.io/instance-type': 'Raspberry-Pi-4-Model-B-Rev-1.5',
  });
  t.match(labels['kubernetes.io/arch'], /^(amd64|arm64)$/);
  t.same(status.addresses?.[0], { type: 'InternalIP', address: '10.0.0.7' });
  t.equal(status.addresses?.[1]?.type, 'Hostname');
  t.same(status.daemonEndpoints, { kubeletEndpoint: { Port: 0 } });
  t.same(status.images, images);
  t.match(status.nodeInfo, {
    bootID: 'boot',
    kubeletVersion: 'v1.2.3',
    machineID: 'm',
    operatingSystem: 'linux',
    osImage: slow.osImage,
    systemUUID: 'u',
  });
  t.same(status.capacity, facts.capacity);
  t.same(status.allocatable, facts.allocatable);
  t.notOk('images' in nodeReport(facts).status, 'nothing is said of images before the engine was asked');
  t.match(nodeReport({ ...facts, engineError: 'gone' }).status.conditions, [
    { type: 'Ready', status: 'False', reason: 'ContainerEngineDown', message: 'gone' },
  ]);
});

t.test('the clock of a device cannot be right when it is behind what has passed', async (t) => {
  const authority = await CertificateAuthority.load(await CertificateAuthority.create('hub'));
  const { certificate } = await authority.issueServer(['edge'], 1);
  const joinedMs = notBeforeMs(certificate);
  t.ok(joinedMs > Date.now() - 7 * 86_400_000 && joinedMs <= Date.now());
  t.equal(notBeforeMs('none'), 0);
  for (const [what, nowMs, status] of [
    ['later', joinedMs + 1_000, 'False'],
    ['a little before', joinedMs - 59_000, 'False'],
    ['1970', 0, 'True'],
  ] as const) {
    const condition = clockCondition(nowMs, joinedMs, AT);
    t.match(condition, { type: 'ClockUntrusted', status, lastTransitionTime: AT }, what);
  }
  t.match(clockCondition(0, Date.parse(AT), AT).message, `behind ${AT}, when it joined`);
  t.equal(clockCondition(0, 0, AT).status, 'False', 'nothing is known');
  let nowMs = 0;
  const right = Promise.withResolvers<void>();
  const clock = new Clock({ passedMs: joinedMs, now: () => nowMs, onRight: right.resolve, retryMs: 5 });
  t.teardown(() => clock.close());
  t.equal(clock.condition(AT).status, 'True');
  nowMs = joinedMs;
  const alive = setInterval(() => {}, 1_000); // what waits for the clock keeps no process
  await right.promise;
  clearInterval(alive);
  t.equal(clock.condition(AT).status, 'False', 'it is seen when it is set');
});

t.test('boards say what they are in the device tree', async (t) => {
  const dir = t.testdir({ model: 'FriendlyElec NanoPi R5S\0' });
  t.equal(deviceTreeModel(join(dir, 'model')), 'FriendlyElec NanoPi R5S');
  t.equal(deviceTreeModel(join(dir, 'none')), '');
});
