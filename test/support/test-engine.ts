import type { Test } from 'tap';
import { Engine } from './engine.ts';
import { PodmanEngine } from './podman-engine.ts';

/** The machine's own Docker engine; where `HOLDFAST_TEST_ENGINE` is "podman", a Podman of the test's own. */
export async function testEngine(t: Test): Promise<Engine> {
  if (process.env['HOLDFAST_TEST_ENGINE'] === 'podman') return startPodman(t);
  return new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
}

/** One that ends with the test. */
export async function startPodman(t: Test, registries: readonly string[] = []): Promise<PodmanEngine> {
  const engine = new PodmanEngine(registries);
  t.teardown(() => engine.close());
  await engine.start();
  return engine;
}
