import { readFileSync } from 'node:fs';
import { agentPackage, releaseKey } from '../../../test/support/device-hub.ts';
import { HubProgram } from '../../../test/support/hub-program.ts';
import { ScratchDevice } from '../../../test/support/scratch-device.ts';
import { BUSYBOX_IMAGE, ensureBusyboxImage } from '../../busybox-image.ts';
import { ensurePackages } from '../../package/packages.ts';
import { PROGRAMS, TARGETS } from '../../package/target.ts';
import { until } from '../../until.ts';
import type { Measurement } from '../result.ts';
import { measureUpdates } from './update.ts';

const MEGABYTE = 1_000_000;
const TICKS_PER_SECOND = 100;
const PATIENCE_MS = 60_000;
const NODE = 'bench-install';

/** What a device downloads, what it takes to be one, and to become another version: the real script, package and hub, and a directory as the root. */
export async function measurePackages(
  repeat: number,
  open: { close(): Promise<void> | void }[],
): Promise<Measurement[]> {
  const hub = new HubProgram();
  open.push(hub);
  await ensureBusyboxImage(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
  await hub.start();
  const measured = [
    ...(await sizes()),
    ...(await installs(hub, repeat)),
    ...(await measureUpdates(hub, BUSYBOX_IMAGE, repeat)),
  ];
  open.splice(open.indexOf(hub), 1);
  await hub.close();
  return measured;
}

async function sizes(): Promise<Measurement[]> {
  const packages = await ensurePackages(
    PROGRAMS,
    TARGETS.map(({ arch }) => arch),
  );
  const size = (name: string, ending: string, most: number | undefined): Measurement[] =>
    TARGETS.map(({ arch }) => {
      const found = packages.find(
        (each) => each.name.endsWith(`-linux-${arch}${ending}`) && /^(.*)-\d/.exec(each.name)?.[1] === name,
      );
      return {
        ...{
          name: `${name}, ${ending === '.tar.gz' ? 'with' : 'without'} Node.js`,
          variant: arch,
          unit: 'MB',
        },
        ...{ samples: [(found?.bytes ?? Number.NaN) / MEGABYTE], floor: [] },
        goal: most === undefined ? undefined : { type: 'value', most },
      };
    });
  return [
    ...size('holdfast-agent', '.tar.gz', 45),
    ...size('holdfast-agent', '-slim.tar.gz', 3),
    ...size('holdfast', '.tar.gz', undefined),
  ];
}

async function installs(hub: HubProgram, repeat: number): Promise<Measurement[]> {
  await hub.packages.add(await agentPackage(), releaseKey());
  const [cpu, wall, contact]: [number[], number[], number[]] = [[], [], []];
  for (let turn = 0; turn < repeat; turn++) {
    console.log(`package: install ${turn + 1} of ${repeat} ...`);
    const node = `${NODE}-${turn}`;
    const device = new ScratchDevice(node, hub);
    try {
      const token = await hub.token();
      const [startedMs, cpuBefore] = [performance.now(), cpuOfChildren()];
      const { code, err } = await device.install({ env: { HOLDFAST_TOKEN: token } });
      if (code !== 0) throw new Error(`install.sh failed: ${err.join('\n')}`);
      wall.push((performance.now() - startedMs) / 1000);
      cpu.push(cpuOfChildren() - cpuBefore);
      const returnedMs = performance.now();
      await until(() => isReady(hub, node), PATIENCE_MS);
      contact.push(performance.now() - returnedMs);
    } finally {
      await device.close();
    }
  }
  const row = { variant: 'plain init', floor: [] } as const;
  return [
    { ...row, name: 'install.sh, processor', unit: 's', samples: cpu, goal: { type: 'value', most: 20 } },
    { ...row, name: 'install.sh, from its first byte to its end', unit: 's', samples: wall, goal: undefined },
    {
      ...row,
      name: 'Ready at the hub after install.sh has returned',
      ...{ unit: 'ms', samples: contact, goal: { type: 'value', most: 5_000 } },
    },
  ];
}

async function isReady(hub: HubProgram, node: string): Promise<boolean> {
  const { status } = await hub.api.call<{ status?: { conditions?: { type: string; status: string }[] } }>(
    'GET',
    `/api/v1/nodes/${node}`,
  );
  return status?.conditions?.some((each) => each.type === 'Ready' && each.status === 'True') ?? false;
}

/** Of processes that have ended and were waited for: proc(5). */
function cpuOfChildren(): number {
  const [, rest = ''] = readFileSync('/proc/self/stat', 'utf8').split(') ');
  const [user = 0, system = 0] = rest.split(' ').slice(13, 15).map(Number);
  return (user + system) / TICKS_PER_SECOND;
}
