import t from 'tap';
import {
  askDevices,
  judgeTally,
  type MeasuredDevice,
} from '../../../../hub/controllers/rollout/gate-measurements/ask-devices.ts';
import type { NodeUsage } from '../../../../hub/resources/resource-metrics.ts';
import type { PodObject } from '../../../../hub/resources/typed.ts';

const MI = 1024 * 1024;
const gate = { expression: 'true', successThreshold: '90%', minMeasured: 5 };

function device(node: string, status: object = {}, isOnline = true): MeasuredDevice {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'app', namespace: 'default', uid: `uid-${node}` },
    spec: { containers: [{ name: 'main' }, { name: 'side' }] },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }], ...status },
  };
  return { node, isOnline, pod: pod as unknown as PodObject };
}

/** Each container uses a tenth of a core, and so much memory. */
function usageOf(node: string, memory: number): NodeUsage {
  const usage = { cpuNanocores: 100_000_000n, windowMs: 1000, workingSetBytes: BigInt(memory) };
  return {
    atMs: 0,
    device: undefined,
    pods: new Map([
      [
        `uid-${node}`,
        [
          { name: 'main', usage },
          { name: 'side', usage },
        ],
      ],
    ]),
  };
}

const ask = (expression: string, devices: readonly MeasuredDevice[], usages = new Map<string, NodeUsage>()) =>
  askDevices(
    { ...gate, expression, minMeasured: 1 },
    { devices, usageOf: async (node) => usages.get(node), sinceMs: 0, signal: AbortSignal.timeout(20_000) },
  );

t.test('what a condition can name', async (t) => {
  const ended = {
    containerStatuses: [
      {
        restartCount: 2,
        lastState: { terminated: { exitCode: 137, reason: 'OOMKilled' } },
        state: { running: {} },
      },
      { restartCount: 1, lastState: {}, state: { terminated: { exitCode: 0, reason: 'Completed' } } },
    ],
  };
  const usages = new Map([['a', usageOf('a', 50 * MI)]]);
  for (const [expression, result] of [
    ['metrics.memory == 100 * 1024 * 1024', 'pass'],
    ['metrics.memory < quantity("90Mi").asInteger()', 'fail'],
    ['metrics.cpu > 0.19 && metrics.cpu < 0.21', 'pass'],
    ['metrics.containers["main"].cpu == 0.1 && "side" in metrics.containers', 'pass'],
    ['metrics.containers.all(name, metrics.containers[name].memory < 60 * 1024 * 1024)', 'pass'],
    ['metrics.containers["other"].cpu < 1.0', 'inconclusive'],
    ['restarts == 3', 'pass'],
    ['exitCodes == [137, 0]', 'pass'],
    ['"OOMKilled" in reasons', 'pass'],
    ['exitCodes.all(code, code == 0)', 'fail'],
    ['pod.ready && pod.phase == "Running" && pod.node == "a" && pod.namespace == "default"', 'pass'],
  ] as const)
    t.equal((await ask(expression, [device('a', ended)], usages)).result, result, expression);
});

t.test('only conditions on metrics ask devices, each once, and only those that can be reached', async (t) => {
  const asked: string[] = [];
  const devices = [device('a'), device('b'), device('away', {}, false)];
  const question = {
    devices,
    usageOf: (node: string, sinceMs: number) => usage(node, sinceMs),
    sinceMs: 7,
    signal: AbortSignal.timeout(20_000),
  };
  const usage = async (node: string, sinceMs: number) => {
    t.equal(sinceMs, 7);
    asked.push(node);
    return node === 'a' ? usageOf(node, MI) : undefined;
  };
  t.equal((await askDevices({ ...gate, expression: 'restarts == 0' }, question)).result, 'pass');
  t.same(asked, []);
  const found = await askDevices({ ...gate, expression: 'metrics.cpu < 1.0' }, question);
  t.same(asked, ['a', 'b']);
  t.match(found, {
    result: 'inconclusive',
    message: /^1 of the 3 devices that it takes were measured \(2 not measured: device b did not say/,
  });
});

t.test('a condition that never ends is ended', async (t) => {
  const numbers = `[${Array.from({ length: 300 }, (_, number) => number).join(',')}]`;
  const slow = `${numbers}.all(a, ${numbers}.all(b, ${numbers}.all(c, ${numbers}.all(d, a + b + c + d >= 0))))`;
  await t.rejects(ask(slow, [device('a')]), /took more than 1000 ms/);
});

t.test('shares are of the devices that were measured', async (t) => {
  const names = (count: number) => Array.from({ length: count }, (_, index) => `n${index}`);
  for (const [what, devices, passed, failed, unknown, result] of [
    ['nobody has it', 0, 0, 0, 0, 'pass'],
    ['all well', 10, 10, 0, 0, 'pass'],
    ['just enough', 10, 9, 1, 0, 'pass'],
    ['too few', 10, 8, 2, 0, 'fail'],
    ['half unknown, the others well', 10, 5, 0, 5, 'pass'],
    ['half unknown, one of the others not', 10, 4, 1, 5, 'fail'],
    ['too few known', 10, 4, 0, 6, 'inconclusive'],
    ['fewer than it takes, all known', 2, 2, 0, 0, 'pass'],
    ['fewer than it takes, not all known', 2, 1, 0, 1, 'inconclusive'],
  ] as const)
    t.equal(
      judgeTally(gate, devices, { passed, failed: names(failed), unknown, why: 'x' }).result,
      result,
      what,
    );
  t.equal(
    judgeTally(gate, 10, { passed: 5, failed: names(5), unknown: 0 }).message,
    'holds for 5 of 10 devices, not for n0, n1, n2 …, successThreshold is 90%',
  );
});
