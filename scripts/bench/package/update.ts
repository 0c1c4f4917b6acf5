import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parsePublicKey } from '../../../proto/minisign.ts';
import { AgentService } from '../../../test/support/agent-service.ts';
import { askAgent } from '../../../test/support/ask-agent.ts';
import { Engine } from '../../../test/support/engine.ts';
import type { HubProgram } from '../../../test/support/hub-program.ts';
import { newSigningKey } from '../../../test/support/packages.ts';
import { Releases } from '../../../test/support/releases.ts';
import { runtimeFor } from '../../package/runtime.ts';
import { TARGETS } from '../../package/target.ts';
import { until } from '../../until.ts';
import type { Measurement } from '../result.ts';

const NODE = 'bench-update';
const PATIENCE_MS = 90_000;
const PODS = 3;

/**
 * An agent that is asked to be another version, download and all: how long nobody hears of the device, and how many of its
 * containers were restarted. The service manager is a shell loop.
 */
export async function measureUpdates(hub: HubProgram, image: string, repeat: number): Promise<Measurement[]> {
  const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
  const key = newSigningKey();
  const releases = await Releases.of(key.publicKey);
  // Where the stripped Node.js is too: it is linked, not copied.
  const [target] = TARGETS;
  const work = mkdtempSync(join(target ? join(runtimeFor(target).path, '../..') : tmpdir(), '.bench-'));
  mkdirSync(join(work, 'base'));
  const device = new AgentService(releases.install(join(work, 'base'), '0.1.0'), NODE, [
    '--transport',
    'mqtt',
  ]);
  const containers = async () =>
    (await engine.containers(NODE))
      .filter(({ running }) => running)
      .map(({ id }) => id)
      .sort();
  try {
    await device.join(hub.ports.grpc, await hub.token());
    device.start();
    await device.line(/connected to the hub/);
    for (let pod = 0; pod < PODS; pod++)
      await hub.api.call('POST', '/api/v1/namespaces/default/pods', podOf(pod, image));
    await until(async () => (await containers()).length === PODS, PATIENCE_MS);
    const before = await containers();
    const silences: number[] = [];
    for (let turn = 1; turn <= repeat; turn++) {
      console.log(`package: update ${turn} of ${repeat} ...`);
      const version = `0.2.${turn}`;
      await hub.packages.add(
        releases.write(join(work, 'packages'), key, { version }),
        parsePublicKey(key.publicKey),
      );
      const from = device.lines.length;
      await askAgent(hub, NODE, { id: `bench-${turn}`, version });
      await device.line(/"the agent ends/, from);
      const endedMs = performance.now();
      await device.line(/connected to the hub/, from);
      silences.push((performance.now() - endedMs) / 1000);
      await until(() => isVersion(hub, version), PATIENCE_MS);
    }
    const after = await containers();
    const restarted = before.filter((id) => !after.includes(id)).length;
    const row = { variant: 'slim package', floor: [] } as const;
    return [
      { ...row, name: 'update of the agent: without status', unit: 's', samples: silences, goal: most(10) },
      {
        ...row,
        name: `update of the agent: restarted of ${PODS} containers`,
        unit: '',
        samples: [restarted],
        goal: most(0),
      },
    ];
  } finally {
    await device.close();
    await engine.removeAllOf(NODE);
    rmSync(work, { recursive: true, force: true });
  }
}

const most = (value: number) => ({ type: 'value', most: value }) as const;

async function isVersion(hub: HubProgram, version: string): Promise<boolean> {
  const { status } = await hub.api.call<{ status?: { nodeInfo?: { kubeletVersion: string } } }>(
    'GET',
    `/api/v1/nodes/${NODE}`,
  );
  return status?.nodeInfo?.kubeletVersion === `v${version}`;
}

function podOf(number: number, image: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `bench-update-${number}`, namespace: 'default' },
    spec: {
      nodeName: NODE,
      terminationGracePeriodSeconds: 0,
      containers: [
        { name: 'main', image, command: ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 1; done'] },
      ],
    },
  };
}
