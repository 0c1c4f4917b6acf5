import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { devicePaths } from '../../hub/packages/device-paths.ts';
import { PackageStore } from '../../hub/packages/package-store.ts';
import { CertificateAuthority } from '../../hub/security/certificate-authority.ts';
import { parsePublicKey } from '../../proto/minisign.ts';
import { signingKey } from '../../scripts/package/minisign-key.ts';
import { ensurePackages, OUTPUT } from '../../scripts/package/packages.ts';
import { PROGRAMS, TARGETS } from '../../scripts/package/target.ts';

/** The agent's package for this machine's kind of processor, as it is given out. */
export const agentPackage = () => madePackage((version) => `holdfast-agent-${version}-linux-amd64.tar.gz`);

/** The hub's for Debian. */
export const hubDebianPackage = () => madePackage((version) => `holdfast_${version}_amd64.deb`);

async function madePackage(nameOf: (version: string) => string): Promise<string> {
  await ensurePackages(
    PROGRAMS,
    TARGETS.map(({ arch }) => arch),
  );
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  return join(OUTPUT, nameOf(version));
}

/** Whose packages a hub of this checkout takes. */
export const releaseKey = () => parsePublicKey(signingKey().publicKey);

/** A hub that has nothing but what devices ask for before they join: one that can lie about it. */
export class DeviceHub {
  readonly packages: PackageStore;
  readonly ca: CertificateAuthority;
  readonly #server: Server;

  private constructor(ca: CertificateAuthority, packages: PackageStore, server: Server) {
    this.ca = ca;
    this.packages = packages;
    this.#server = server;
  }

  /** `signer`: who signs the list of packages, when that is not the hub. */
  static async start(dataDir: string, signer?: CertificateAuthority): Promise<DeviceHub> {
    const ca = await CertificateAuthority.load(await CertificateAuthority.create('device-hub'));
    const { certificate, key } = await ca.issueServer(['127.0.0.1'], 1);
    const packages = new PackageStore(dataDir);
    const sign = (text: string) => (signer ?? ca).sign(text);
    const serve = devicePaths({
      ca: { certificate: ca.certificate, sign },
      packages,
      ownAddress: () => '127.0.0.1',
      grpcPort: 1, // nobody is there
      onError: () => undefined,
    });
    const server = createServer({ cert: certificate, key }, (request, response) => {
      if (!serve(request, response)) response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new DeviceHub(ca, packages, server);
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** One that it would believe, if it took any. */
  get token(): string {
    return `HF1${this.ca.fingerprint}::abcdef.${'x'.repeat(32)}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
