import type { AgentRelease } from '../../../proto/agent-release.ts';
import { counted } from '../../resources/counted.ts';
import type { NodeObject } from '../../resources/typed.ts';

/** The packages of agents that the hub has: those of a version, for a kind of processor. */
export interface AgentPackageSource {
  packagesOf(version: string, arch: string): Pick<AgentRelease, 'full' | 'slim'>;
  /** Of the hub's HTTPS, where devices get them; undefined before it listens. */
  port(): number | undefined;
}

/** Undefined before the device has said so. */
export function archOf({ status }: NodeObject): string | undefined {
  return status?.nodeInfo?.architecture || undefined;
}

/** Why devices cannot be updated to a version: what the hub lacks, and what to do about it. Pure. */
export function missingPackages(
  version: string,
  devices: readonly NodeObject[],
  source: AgentPackageSource,
): string | undefined {
  const byArch = Map.groupBy(devices, archOf);
  const missing = [...byArch].filter(([arch]) => {
    if (arch === undefined) return false;
    const { full, slim } = source.packagesOf(version, arch);
    return !full && !slim;
  });
  const [first] = missing;
  if (!first) return undefined;
  const arches = missing.map(([arch, all]) => `${arch} (${counted(all.length, 'device', 'devices')})`).sort();
  return `the hub has no package of the agent ${version} for ${arches.join(', ')}: add it with "holdfast packages add holdfast-agent-${version}-linux-${first[0]}.tar.gz"`;
}
