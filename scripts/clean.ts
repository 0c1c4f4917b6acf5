import { rmSync } from 'node:fs';
import { unmountBelow } from '../agent/pod/mount-points.ts';
import { BUSYBOX_IMAGE } from './busybox-image.ts';
import { DockerApi } from './docker-api.ts';
import { runningEngine, stopOwnEngine } from './docker-engine.ts';
import { files } from './local-files.ts';
import { stopAgent, stopHub } from './local-processes.ts';
import { readFrom } from './processes.ts';

/** Everything in the engine that belongs to our node, and the example's image. */
async function cleanEngine(node: string): Promise<void> {
  const engine = await runningEngine();
  if (!engine) {
    console.log('No Docker engine answers: what it may hold was not removed.');
    return;
  }
  const api = new DockerApi(engine.host);
  const label = `holdfast.dev/node=${node}`;
  const containers = node ? await api.containersWith(label) : [];
  await Promise.all(containers.map((id) => api.removeContainer(id)));
  const networks = node ? await api.networksWith(label) : [];
  await Promise.all(networks.map((id) => api.removeNetwork(id)));
  await api.removeImage(BUSYBOX_IMAGE);
  console.log(`Removed ${containers.length} containers.`);
}

try {
  // First, so that nothing is started again.
  await Promise.all([stopAgent(), stopHub()]);
  await cleanEngine(readFrom(files.node, 0).trim());
  if (await stopOwnEngine()) console.log('Stopped the Docker engine that was started here.');
  await unmountBelow([files.home]); // of pods that had volumes in memory
  rmSync(files.home, { recursive: true, force: true });
  console.log('Removed .holdfast.');
} catch (error) {
  console.error(`npm run clean: ${(error as Error).message}`);
  process.exitCode = 1;
}
