import type { PackageReference } from '../../proto/agent-release.ts';
import type { StoredPackage } from './package-store.ts';

/** A version of the agent for one kind of processor: with Node.js, and without. */
export interface AgentPackages {
  readonly full?: PackageReference;
  readonly slim?: PackageReference;
}

/** What of the packages that a hub has a device can be updated with. Pure. */
export function agentPackages(all: readonly StoredPackage[], version: string, arch: string): AgentPackages {
  const of = (form: StoredPackage['form']) => {
    const found = all.find(
      (each) =>
        each.program === 'holdfast-agent' &&
        each.version === version &&
        each.arch === arch &&
        each.form === form,
    );
    return found && { name: found.name, sha256: found.sha256, bytes: found.bytes };
  };
  const [full, slim] = [of('archive'), of('slim')];
  return { ...(full && { full }), ...(slim && { slim }) };
}
