import { bundle } from '../bundle.ts';
import { ensureBusyboxImage } from '../busybox-image.ts';
import { ensureDockerEngine } from '../docker-engine.ts';
import { kubectlPath } from '../kubectl.ts';
import type { Bench } from './bench.ts';
import { deploy, IMAGES, newName, undeploy } from './deployment.ts';
import { BenchPodman } from './podman.ts';
import { RawEngine } from './raw-engine.ts';
import { Stand, type Transport } from './stand.ts';

const FLOOR_LABEL = 'holdfast.dev/bench-floor';
const WARM_UP = 2;

export const ENGINES = ['docker', 'podman'] as const;
export type EngineName = (typeof ENGINES)[number];

export interface BenchOptions {
  readonly engineName: EngineName;
  readonly transports: readonly Transport[];
  readonly repeat: number | undefined;
  readonly isQuick: boolean;
  readonly profileDir: string | undefined;
}

/** What subjects need: an engine with the images, and stands. `open` takes what is to be closed in the end. */
export async function prepare(
  { engineName, transports, repeat, isQuick, profileDir }: BenchOptions,
  open: { close(): Promise<void> | void }[],
): Promise<Bench> {
  const podman = engineName === 'podman' ? await BenchPodman.begin() : undefined;
  if (podman) open.push(podman);
  const { host } = podman ?? (await ensureDockerEngine(console.log));
  if (!host.startsWith('unix:'))
    throw new Error(`the benchmark needs an engine on a unix socket, not ${host}`);
  const [first, second] = IMAGES;
  await Promise.all([bundle(), kubectlPath(), ensureBusyboxImage(host, { name: first })]);
  await ensureBusyboxImage(host, { name: second, files: { 'etc/version': '2\n' } });
  const engine = new RawEngine(host, FLOOR_LABEL);
  open.push({ close: () => engine.removeAll().then(() => engine.close()) });

  const newStand = async (transport: Transport) => {
    const stand = await Stand.start({
      transport,
      engine,
      dockerHost: host,
      ...(profileDir && { profileDir }),
    });
    open.push(stand);
    return stand;
  };
  let stands: Promise<readonly Stand[]> | undefined;
  return {
    engine,
    podman,
    transports,
    isQuick,
    repetitions: (full, quick) => repeat ?? (isQuick ? quick : full),
    newStand,
    stands: () => {
      stands ??= Promise.all(transports.map(newStand)).then(warmUp);
      return stands;
    },
  };
}

async function warmUp(stands: readonly Stand[]): Promise<readonly Stand[]> {
  for (const stand of stands) {
    for (let count = 0; count < WARM_UP; count += 1) {
      const name = newName();
      await deploy(stand, name, 1);
      await undeploy(stand, name);
    }
  }
  return stands;
}
