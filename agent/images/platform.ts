/** What a processor is called in images; `variant` as `v7`, of 32-bit ARM. */
export interface Platform {
  readonly architecture: string;
  readonly os?: string;
  readonly variant?: string;
}

export interface PlatformManifest {
  readonly digest: string;
  readonly platform?: Platform;
}

/** Each runs what those after it are made for. */
const ARM_VARIANTS = ['v8', 'v7', 'v6', 'v5'];

/** Of an index, what is for this device. Throws an error that says what there is. */
export function chooseManifest<T extends PlatformManifest>(
  manifests: readonly T[],
  own: Platform,
  image: string,
): T {
  const fitting = manifests.filter(({ platform }) => platform && runsHere(platform, own));
  const [best] = fitting.sort((a, b) => rank(a.platform, own) - rank(b.platform, own));
  if (best) return best;
  const there = manifests.flatMap(({ platform }) =>
    platform && platform.os !== 'unknown' ? formatPlatform(platform) : [],
  );
  throw new Error(wrongPlatform(image, there, own));
}

/** Why an image that is for one processor alone can not run here; undefined when it can, or does not say. */
export function platformProblem(found: Partial<Platform>, own: Platform, image: string): string | undefined {
  if (!found.architecture) return undefined;
  const platform = { ...found, architecture: found.architecture };
  return runsHere(platform, own) ? undefined : wrongPlatform(image, [formatPlatform(platform)], own);
}

function wrongPlatform(image: string, there: readonly string[], own: Platform): string {
  return `image "${image}" is for ${there.join(', ') || 'no processor'}, and this device is ${formatPlatform(own)}: build it for ${formatPlatform(own)} as well`;
}

function runsHere(platform: Platform, own: Platform): boolean {
  const { os = 'linux', architecture, variant } = platform;
  if (os !== 'linux' || architecture !== own.architecture) return false;
  if (architecture !== 'arm' || !variant || !own.variant) return true;
  return ARM_VARIANTS.indexOf(variant) >= ARM_VARIANTS.indexOf(own.variant);
}

/** The nearest to what the processor is comes first. */
function rank(platform: Platform | undefined, own: Platform): number {
  if (own.architecture !== 'arm') return platform?.variant && platform.variant !== own.variant ? 1 : 0;
  const at = ARM_VARIANTS.indexOf(platform?.variant ?? '');
  return at < 0 ? ARM_VARIANTS.length : at;
}

function formatPlatform({ os = 'linux', architecture, variant }: Platform): string {
  return [os, architecture, variant].filter(Boolean).join('/');
}

/** What the engine says of its machine (`armv7l`) as images have it. */
export function platformOf(architecture: string, machine: string): Platform {
  const [, version] = /^armv(\d)/.exec(machine) ?? [];
  return {
    os: 'linux',
    architecture,
    ...(architecture === 'arm' && version && { variant: `v${version}` }),
  };
}
