import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { debOf } from '../../scripts/package/deb.ts';
import { SigningKey } from '../../scripts/package/minisign-key.ts';
import { tarOf } from '../../scripts/tar.ts';

/* Small packages in the form of real ones. */

export interface PackageMaking {
  readonly dir: string;
  readonly key: SigningKey;
  readonly version: string;
  readonly arch?: 'amd64' | 'arm64';
  /** What it says that it is, when that is another thing than its name says. */
  readonly says?: object;
  readonly padding?: Buffer;
}

export function newSigningKey(): SigningKey {
  const { privateKey } = generateKeyPairSync('ed25519');
  return new SigningKey(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
}

/** Writes a signed archive of the agent. Returns its name. */
export function makeArchive({ dir, key, version, arch = 'amd64', says, padding }: PackageMaking): string {
  const folder = `holdfast-agent-${version}-linux-${arch}`;
  const about = { name: 'holdfast-agent', version, arch, ...says };
  const file = (path: string, content: Buffer) =>
    ({ type: 'file', path: `${folder}/${path}`, mode: 0o644, content }) as const;
  const entries = [
    file('lib/data', padding ?? Buffer.from('content')),
    file('package.json', Buffer.from(JSON.stringify(about, undefined, 2))),
  ];
  return put(dir, key, `${folder}.tar.gz`, gzipSync(tarOf(entries), { level: 0 }));
}

export function makeDeb({ dir, key, version, arch = 'amd64', says }: PackageMaking): string {
  const fields = { Package: 'holdfast-agent', Version: version, Architecture: arch, ...says };
  const content = debOf({ fields, scripts: {} }, gzipSync(tarOf([])));
  return put(dir, key, `holdfast-agent_${version}_${arch}.deb`, content);
}

function put(dir: string, key: SigningKey, name: string, content: Buffer): string {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, name), content);
  writeFileSync(join(dir, `${name}.minisig`), key.sign(content, name));
  return name;
}
