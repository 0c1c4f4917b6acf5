import { type FSWatcher, watch } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isPattern, patternOf } from '../pod/path-pattern.ts';
import type { Pod } from '../pod/pod.ts';
import type { DeviceGrant } from '../runtime/runtime.ts';
import { type Allocation, allocateDevices, type DeviceUnit, type DeviceUnits } from './device-allocation.ts';
import type { DeviceSource, DeviceSources } from './device-sources.ts';

/** A device that is plugged in is several nodes, which come one after the other. */
const QUIET_MS = 100;

interface Unit extends DeviceUnit {
  readonly grants: readonly DeviceGrant[];
}

export interface DeviceInventoryOptions {
  readonly sources: DeviceSources;
  readonly onChange: () => void;
  readonly onError: (error: Error) => void;
}

/** Which devices there are. Looked at again when something comes or goes where they are; in between nothing is asked. */
export class DeviceInventory {
  readonly #options: DeviceInventoryOptions;
  readonly #watchers = new Map<string, FSWatcher>();
  #units = new Map<string, Unit[]>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: DeviceInventoryOptions) {
    this.#options = options;
  }

  /** What was there once and is no more stays, as one that is not there. */
  get units(): DeviceUnits {
    return this.#units;
  }

  /** Gives each container of the pod its own, of what nobody has. */
  allocate(pod: Pod, taken: ReadonlySet<string>): Allocation {
    return allocateDevices(pod, this.#units, taken);
  }

  /** What the engine is to be asked for. A device's names are looked up: they lead elsewhere when it was plugged in anew. */
  grantsOf(resource: string, ids: readonly string[]): DeviceGrant[] {
    const units = this.#units.get(resource) ?? [];
    return ids.flatMap(
      (id) =>
        units.find((unit) => unit.id === id)?.grants ?? [{ type: 'node', path: id, target: id } as const],
    );
  }

  async look(): Promise<void> {
    const visited = new Set<string>();
    const next = new Map<string, Unit[]>();
    for (const [resource, sources] of this.#options.sources) {
      const found = (await Promise.all(sources.map((source) => unitsOf(source, visited)))).flat();
      const units = [...new Map(found.map((unit) => [unit.id, unit])).values()];
      const gone = (this.#units.get(resource) ?? []).filter(
        ({ id }) => !units.some((unit) => unit.id === id),
      );
      next.set(
        resource,
        [...units, ...gone.map((unit) => ({ ...unit, isThere: false, nodes: [] }))].sort(byId),
      );
    }
    if (this.#isClosed) return;
    const isChanged = JSON.stringify([...next]) !== JSON.stringify([...this.#units]);
    this.#units = next;
    const isNew = this.#watch(visited);
    if (isChanged) this.#options.onChange();
    if (isNew) this.#soon(); // something may have come before it was listened
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
  }

  /** Whether there are directories that nobody listened to before. */
  #watch(wanted: ReadonlySet<string>): boolean {
    for (const [path, watcher] of this.#watchers) {
      if (wanted.has(path)) continue;
      watcher.close();
      this.#watchers.delete(path);
    }
    const added = [...wanted].filter((path) => !this.#watchers.has(path));
    return added.filter((path) => this.#listen(path)).length > 0;
  }

  #listen(path: string): boolean {
    try {
      const watcher = watch(path, { persistent: false }, (type) => type === 'rename' && this.#soon());
      watcher.on('error', () => this.#lost(path));
      this.#watchers.set(path, watcher);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#options.onError(error as Error);
      return false;
    }
  }

  #lost(path: string): void {
    this.#watchers.get(path)?.close();
    this.#watchers.delete(path);
    this.#soon();
  }

  #soon(): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => void this.look().catch((error: Error) => this.#options.onError(error)),
      QUIET_MS,
    );
    this.#timer.unref();
  }
}

const byId = (a: DeviceUnit, b: DeviceUnit) => a.id.localeCompare(b.id, 'en', { numeric: true });

/** `visited` gets the directories in which something may come or go that matters. */
async function unitsOf(source: DeviceSource, visited: Set<string>): Promise<Unit[]> {
  if (source.type === 'cdi')
    return [{ id: source.name, isThere: true, nodes: [], grants: [{ type: 'cdi', name: source.name }] }];
  if (source.type === 'group') {
    const nodes = await Promise.all(source.paths.map((path) => nodeAt(path, visited)));
    const isThere = nodes.every((node) => node !== undefined);
    const there = nodes.filter((node) => node !== undefined);
    const grants = there.map((path, index) => grant(path, source.paths[index] ?? path));
    return [{ id: source.paths.join('+'), isThere, nodes: there, grants: isThere ? grants : [] }];
  }
  const paths = await matches(source.pattern, visited);
  const found = await Promise.all(paths.map(async (path) => ({ path, node: await nodeAt(path, visited) })));
  return found.flatMap(({ path, node }) => {
    if (node === undefined) return [];
    const gpu = source.type === 'gpus' ? /\d+$/.exec(path)?.[0] : undefined;
    if (gpu !== undefined)
      return [{ id: `gpu:${gpu}`, isThere: true, nodes: [node], grants: [{ type: 'gpu', id: gpu }] }];
    return [{ id: path, isThere: true, nodes: [node], grants: [grant(node, path)] }];
  });
}

function grant(path: string, target: string): DeviceGrant {
  return { type: 'node', path, target };
}

/** Where the path leads; undefined when that is no device. */
async function nodeAt(path: string, visited: Set<string>): Promise<string | undefined> {
  await visit(dirname(path), visited);
  try {
    const found = await stat(path);
    return found.isCharacterDevice() || found.isBlockDevice() ? await realpath(path) : undefined;
  } catch {
    return undefined;
  }
}

/** Paths that the pattern names, whatever they are. */
async function matches(pattern: string, visited: Set<string>): Promise<string[]> {
  let paths = ['/'];
  for (const part of pattern.split('/').filter(Boolean)) {
    if (!isPattern(part)) {
      paths = paths.map((path) => join(path, part));
      continue;
    }
    const wanted = patternOf(part);
    const below = await Promise.all(
      paths.map(async (path) => {
        await visit(path, visited);
        const names = await readdir(path).catch(() => []);
        return names.filter((name) => wanted.test(name)).map((name) => join(path, name));
      }),
    );
    paths = below.flat();
  }
  return paths;
}

/** The directory, or the nearest above it that is there. */
async function visit(path: string, visited: Set<string>): Promise<void> {
  const isThere = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (isThere || path === '/') visited.add(path);
  else await visit(dirname(path), visited);
}
