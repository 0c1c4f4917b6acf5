import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { installPackages, whyNoApt } from './apt.ts';

const FORMATS = '/proc/sys/fs/binfmt_misc';
const ARM64 = `${FORMATS}/qemu-aarch64`;

/** Lets this machine run programs for arm64, in containers too: Debian's emulator, known to the kernel. Throws. */
export function ensureArm64(): void {
  if (process.arch === 'arm64' || existsSync(ARM64)) return;
  if (!existsSync(`${FORMATS}/register`))
    execFileSync('mount', ['-t', 'binfmt_misc', 'binfmt_misc', FORMATS]);
  if (!existsSync('/usr/bin/qemu-aarch64-static')) {
    const why = whyNoApt();
    if (why) throw new Error(`the tests need "qemu-aarch64-static" and binfmt, and ${why}: install them`);
    installPackages(['qemu-user-static', 'binfmt-support']);
  }
  if (!existsSync(ARM64)) execFileSync('update-binfmts', ['--enable', 'qemu-aarch64']);
}
