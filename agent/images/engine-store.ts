import { callEngine } from '../runtime/engine-call.ts';
import type { EngineFacts } from './engine-registries.ts';
import { type Platform, platformOf } from './platform.ts';

/** What of an engine a pull must know. */
export interface EngineStore extends EngineFacts {
  readonly platform: Platform;
  /** Where its images are; undefined where that is on another machine. */
  readonly dataDir: string | undefined;
  /** Whether an archive may leave out layers that the engine has. */
  readonly takesParts: boolean;
}

export async function lookAtEngine(host: string): Promise<EngineStore> {
  const [version, info] = await Promise.all([
    ask<{ Arch: string; Components?: readonly { Name: string }[] | null }>(host, '/version'),
    ask<
      EngineFacts & {
        Architecture?: string;
        DockerRootDir?: string;
        DriverStatus?: readonly (readonly string[])[] | null;
      }
    >(host, '/info'),
  ]);
  const isOther = version.Components?.some(({ Name }) => /podman/i.test(Name)) ?? false;
  // What keeps images as they were packed wants all that it is given to be whole.
  const keepsPacked = info.DriverStatus?.some((words) =>
    words.some((word) => /containerd\.snapshotter/.test(word)),
  );
  return {
    ...info,
    isOther,
    platform: platformOf(version.Arch, info.Architecture ?? ''),
    dataDir: host.startsWith('unix:') ? info.DockerRootDir : undefined,
    takesParts: !isOther && !keepsPacked,
  };
}

/** How many of an image's layers, from the lowest on, the engine has in the same order. */
export async function layersThere(host: string, diffIds: readonly string[]): Promise<number> {
  const images = await ask<readonly { Id: string }[]>(host, '/images/json?all=1');
  let most = 0;
  for (const { Id } of images) {
    const { code, text } = await callEngine(host, 'GET', `/images/${Id}/json`);
    if (code !== 200) continue; // gone just now
    const { RootFS } = JSON.parse(text) as { RootFS?: { Layers?: readonly string[] | null } };
    most = Math.max(most, sameUntil(RootFS?.Layers ?? [], diffIds));
    if (most === diffIds.length) break;
  }
  return most;
}

/** How many of both are the same from the beginning. */
export function sameUntil(a: readonly string[], b: readonly string[]): number {
  const differs = b.findIndex((each, index) => a[index] !== each);
  return differs < 0 ? b.length : differs;
}

async function ask<T>(host: string, path: string): Promise<T> {
  const { code, text } = await callEngine(host, 'GET', path);
  if (code !== 200) throw new Error(`the engine at ${host} answers ${code}: ${text.trim()}`);
  return JSON.parse(text) as T;
}
