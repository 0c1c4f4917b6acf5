import { spawnSync } from 'node:child_process';
import { installPackages, whyNoApt } from './apt.ts';
import { ensureArm64 } from './arm64-emulation.ts';
import { ensureBusyboxImage } from './busybox-image.ts';
import { debianLayer, LAYER_NAMES } from './debian-layer.ts';
import { ensureDockerEngine } from './docker-engine.ts';
import { kubectlPath } from './kubectl.ts';
import { ensurePackages } from './package/packages.ts';
import { STRIP } from './package/runtime.ts';
import { PROGRAMS, TARGETS } from './package/target.ts';

/* What the tests use besides the packages, made or found before they start. */

function ensureProgram(name: string, debianPackage: string): void {
  if (!spawnSync(name, ['-V']).error) return;
  const why = whyNoApt();
  if (why)
    throw new Error(`the tests need the program "${name}", and ${why}: install it, then run this again`);
  installPackages([debianPackage]);
}

try {
  const [{ host }] = await Promise.all([ensureDockerEngine(console.error), kubectlPath()]);
  await ensureBusyboxImage(host);
  ensureProgram('git', 'git');
  ensureProgram('ssh', 'openssh-client'); // what git reaches some repositories with
  ensureProgram('ip', 'iproute2'); // engines that a test starts have bridges of their own
  ensureProgram('minisign', 'minisign');
  for (const name of ['curl', 'wget', 'openssl', 'dash']) ensureProgram(name, name); // what devices install with
  for (const shell of ['zsh', 'fish', 'groff']) ensureProgram(shell, shell); // what reads completions and manuals
  ensureProgram('docker', 'docker.io'); // builds images
  ensureProgram('docker-registry', 'docker-registry'); // keeps images behind a password
  ensureProgram('debootstrap', 'debootstrap'); // what they are based on
  if (process.getuid?.() === 0) for (const each of LAYER_NAMES) debianLayer(each); // machines are made with them
  ensureArm64();
  for (const { tool, debian } of Object.values(STRIP)) ensureProgram(tool, debian);
  await ensurePackages(
    PROGRAMS,
    TARGETS.map(({ arch }) => arch),
  );
} catch (error) {
  console.error(`npm test: ${(error as Error).message}`);
  process.exitCode = 1;
}
