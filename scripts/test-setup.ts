import { ensureBusyboxImage } from './busybox-image.ts';
import { ensureDockerEngine } from './docker-engine.ts';
import { kubectlPath } from './kubectl.ts';

/* What the tests use besides the packages, made or found before they start. */

try {
  const [{ host }] = await Promise.all([ensureDockerEngine(console.error), kubectlPath()]);
  await ensureBusyboxImage(host);
} catch (error) {
  console.error(`npm test: ${(error as Error).message}`);
  process.exitCode = 1;
}
