import type { PackageReference } from '../../proto/agent-release.ts';
import type { PackageStore } from './package-store.ts';

/** A version of the agent for one kind of processor: with Node.js, and without. */
export interface AgentPackages {
  readonly full?: PackageReference;
  readonly slim?: PackageReference;
}

/** What a device can be updated with, of the packages that a hub has. */
export function agentPackages(
  store: Pick<PackageStore, 'get'>,
  version: string,
  arch: string,
): AgentPackages {
  const named = (suffix: string) => {
    const found = store.get(`holdfast-agent-${version}-linux-${arch}${suffix}.tar.gz`);
    return found && { name: found.name, sha256: found.sha256, bytes: found.bytes };
  };
  const [full, slim] = [named(''), named('-slim')];
  return { ...(full && { full }), ...(slim && { slim }) };
}
