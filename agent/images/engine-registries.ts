import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageReference } from './reference.ts';

/** What an engine says of itself, as far as it is about registries. */
export interface EngineFacts {
  readonly IndexServerAddress?: string;
  readonly HttpProxy?: string;
  readonly HttpsProxy?: string;
  readonly RegistryConfig?: {
    readonly InsecureRegistryCIDRs?: readonly string[] | null;
    readonly IndexConfigs?: Readonly<
      Record<
        string,
        {
          readonly Mirrors?: readonly string[] | null;
          readonly Secure?: boolean;
          readonly Official?: boolean;
        }
      >
    >;
  };
  /** Who answers in Docker's name without being it. */
  readonly isOther?: boolean;
}

/** Where an image is. */
export interface Location {
  readonly host: string;
  readonly repository: string;
  /** Under which credentials for it are kept. */
  readonly credentialsHost: string;
}

const LOOPBACKS = ['127.0.0.0/8', '::1/128'];
/** Certificates of one registry, as engines look for them. */
const CERTIFICATES_DIR = '/etc/docker/certs.d';

/**
 * Where the image is, when this program can get it as the engine would; undefined when the engine's own settings say how: it has
 * a proxy, a mirror, a registry without TLS or one with certificates of its own.
 */
export function locate(
  { registry, repository }: ImageReference,
  engine: EngineFacts,
  hasCertificates = (host: string) => existsSync(join(CERTIFICATES_DIR, host)),
): Location | undefined {
  const { IndexServerAddress, RegistryConfig, isOther } = engine;
  if (isOther) return undefined;
  const indexes = Object.entries(RegistryConfig?.IndexConfigs ?? {});
  const [own, ownConfig] = indexes.find(([, { Official }]) => Official) ?? [];
  const name = registry ?? own;
  if (!name || (!isLoopback(name) && (engine.HttpProxy || engine.HttpsProxy))) return undefined;
  if (name === own) {
    if (ownConfig?.Mirrors?.length || !IndexServerAddress) return undefined;
    const { host } = new URL(IndexServerAddress);
    const isOfficial = !repository.includes('/');
    return { host, repository: isOfficial ? `library/${repository}` : repository, credentialsHost: host };
  }
  const config = indexes.find(([key]) => key === name)?.[1];
  if (hasCertificates(name) || config?.Mirrors?.length || config?.Secure === false) return undefined;
  const isOwnNetwork = RegistryConfig?.InsecureRegistryCIDRs?.some((cidr) => !LOOPBACKS.includes(cidr));
  if (isOwnNetwork && !isLoopback(name)) return undefined;
  return { host: name, repository, credentialsHost: name };
}

/** There engines do without TLS. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/.test(host);
}
