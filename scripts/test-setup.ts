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

/** Programs, and the Debian packages that have them. */
const TOOLS: Readonly<Record<string, string>> = {
  git: 'git',
  ssh: 'openssh-client', // what git reaches some repositories with
  ip: 'iproute2', // engines that a test starts have bridges of their own
  minisign: 'minisign',
  ...{ curl: 'curl', wget: 'wget', openssl: 'openssl', dash: 'dash' }, // what devices install with
  ...{ zsh: 'zsh', fish: 'fish', groff: 'groff' }, // what reads completions and manuals
  docker: 'docker.io', // builds images
  'docker-registry': 'docker-registry', // keeps images behind a password
  debootstrap: 'debootstrap', // what they are based on
  busybox: 'busybox-static',
  ...Object.fromEntries(Object.values(STRIP).map(({ tool, debian }) => [tool, debian])),
};

/** All at once: each call of the package manager takes seconds. */
function ensureTools(): void {
  const missing = Object.keys(TOOLS).filter((name) => spawnSync(name, ['-V']).error);
  if (missing.length === 0) return;
  const why = whyNoApt();
  if (why)
    throw new Error(
      `the tests need the programs ${missing.join(', ')}, and ${why}: install them, then run this again`,
    );
  installPackages(missing.map((name) => TOOLS[name] ?? name));
}

try {
  const [{ host }] = await Promise.all([ensureDockerEngine(console.error), kubectlPath()]);
  ensureTools();
  await ensureBusyboxImage(host);
  if (process.getuid?.() === 0) for (const each of LAYER_NAMES) debianLayer(each); // machines are made with them
  ensureArm64();
  await ensurePackages(
    PROGRAMS,
    TARGETS.map(({ arch }) => arch),
  );
} catch (error) {
  console.error(`npm test: ${(error as Error).message}`);
  process.exitCode = 1;
}
