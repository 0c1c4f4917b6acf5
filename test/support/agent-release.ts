import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { signingKey } from '../../scripts/package/minisign-key.ts';
import { agentPackage } from './device-hub.ts';

const MOST_BYTES = 256 * 1024 * 1024;

/**
 * The agent's package as another version, signed like the real one. `change` may do to its files, in the directory that it is
 * given, what a release should not do. Resolves with the path.
 */
export async function makeRelease(
  dir: string,
  version: string,
  change: (home: string) => void = () => undefined,
): Promise<string> {
  const original = await agentPackage();
  const [, before = ''] = /holdfast-agent-(.*)-linux/.exec(basename(original)) ?? [];
  const work = mkdtempSync(join(tmpdir(), 'hf-release-'));
  try {
    execFileSync('tar', ['-xzf', original, '-C', work]);
    const folder = `holdfast-agent-${version}-linux-amd64`;
    const home = join(work, folder);
    renameSync(join(work, `holdfast-agent-${before}-linux-amd64`), home);
    replaceIn(join(home, 'package.json'), `"version": "${before}"`, `"version": "${version}"`);
    for (const name of readdirSync(join(home, 'lib/agent')))
      if (name.endsWith('.mjs')) replaceIn(join(home, 'lib/agent', name), `"v${before}"`, `"v${version}"`);
    change(home);
    const tar = ['--use-compress-program=gzip -1', '-cf', '-', '-C', work, folder];
    const content = execFileSync('tar', tar, { maxBuffer: MOST_BYTES });
    mkdirSync(dir, { recursive: true });
    const path = join(dir, `${folder}.tar.gz`);
    writeFileSync(path, content);
    writeFileSync(`${path}.minisig`, signingKey().sign(content, basename(path)));
    return path;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function replaceIn(file: string, from: string, to: string): void {
  const text = readFileSync(file, 'utf8');
  if (text.includes(from)) writeFileSync(file, text.replaceAll(from, to));
}
