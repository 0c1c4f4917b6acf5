import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rename, statfs, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { bareNetworkId, linkName, networkFileOf } from './network-name.ts';
import { type ContainerIdentity, type ObservedContainer, RuntimeError } from './runtime.ts';

/*
 * Infra containers that are a network and nothing else, for engines that start a container in a network by its file: a
 * process that only waits costs them as much as one that works. Kept by the kernel under /run/netns, where `ip netns`
 * finds them, and told of in a file each, which a reboot takes along. Uses the machine's own `ip`; root only.
 */

const run = promisify(execFile);

const COMMAND_MS = 10_000;
/** What statfs says of a namespace. */
const NSFS_MAGIC = 0x6e736673;

/** What is told of one. */
interface Told {
  readonly identity: ContainerIdentity;
  /** Ms of the wall clock; absent until it was. */
  readonly startedAtMs?: number;
}

/** Whether it is there. */
export async function isNetwork(path: string): Promise<boolean> {
  // Whoever was cut off while it made one has left an ordinary file.
  const found = await statfs(path).catch(() => undefined);
  return found?.type === NSFS_MAGIC;
}

export class BareNetworks {
  readonly #directory: string;
  readonly #monotonicMs: () => number;
  #hasLooked = false;

  /** `directory`: of this agent alone, and gone after a reboot. */
  constructor(directory: string, monotonicMs: () => number) {
    this.#directory = directory;
    this.#monotonicMs = monotonicMs;
  }

  async list(): Promise<ObservedContainer[]> {
    const files = await readdir(this.#directory).catch(() => []);
    if (!this.#hasLooked) await this.#sweep(files);
    this.#hasLooked = true;
    const whole = files.filter((file) => file.endsWith('.json'));
    const found = await Promise.all(whole.map((file) => this.#read(join(this.#directory, file))));
    return Promise.all(found.filter((told) => told !== undefined).map((told) => this.#observed(told)));
  }

  /** Undefined when it is gone. */
  async inspect(id: string): Promise<ObservedContainer | undefined> {
    const told = await this.#read(this.#fileOf(id));
    return told && this.#observed(told);
  }

  async #observed({ identity, startedAtMs }: Told): Promise<ObservedContainer> {
    const id = idOf(identity);
    const networkFile = networkFileOf(id);
    const state = (await isNetwork(networkFile)) ? 'running' : startedAtMs ? 'exited' : 'created';
    return {
      ...identity,
      ...{
        id,
        state,
        startedAtMs,
        networkFile,
        engine: 'podman',
        image: '',
        imageId: '',
        error: '',
        stopSignal: '',
      },
      ...{ exitCode: 0, oomKilled: false, pid: 0, makesNetwork: true },
      ip: state === 'running' ? identity.podIp : '',
      finishedAtMs: undefined,
      exitedAtMs: state === 'exited' ? this.#monotonicMs() : undefined,
    };
  }

  /** Returns the id of one that is to be started. */
  async create(identity: ContainerIdentity): Promise<string> {
    const id = idOf(identity);
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    await this.#write(id, { identity });
    return id;
  }

  async start(id: string): Promise<void> {
    const told = await this.#read(this.#fileOf(id));
    if (!told) throw new RuntimeError('gone', `start network: there is no ${id}`);
    const path = networkFileOf(id);
    if (!(await isNetwork(path))) {
      await unlink(path).catch(() => {});
      await ip(['netns', 'add', linkName(id)]);
    }
    await this.#write(id, { ...told, startedAtMs: Date.now() });
  }

  /** Nobody is joined to it any more. */
  async end(id: string): Promise<void> {
    const path = networkFileOf(id);
    if (!(await isNetwork(path))) return unlink(path).catch(() => {});
    // The link first: the network itself lasts for as long as a process is in it.
    await ip(['link', 'delete', linkName(id)]).catch(() => {}); // it may never have been joined
    await ip(['netns', 'delete', linkName(id)]);
  }

  async remove(id: string): Promise<void> {
    await this.end(id);
    await unlink(this.#fileOf(id)).catch(() => {});
  }

  /** What an agent before this one was cut off from writing. */
  async #sweep(files: readonly string[]): Promise<void> {
    const parts = files.filter((file) => file.endsWith('.new'));
    await Promise.all(parts.map((file) => unlink(join(this.#directory, file)).catch(() => {})));
  }

  #fileOf(id: string): string {
    return join(this.#directory, `${linkName(id)}.json`);
  }

  async #write(id: string, told: Told): Promise<void> {
    const file = this.#fileOf(id);
    await writeFile(`${file}.new`, JSON.stringify(told), { mode: 0o600 });
    await rename(`${file}.new`, file); // whole, or not there
  }

  async #read(file: string): Promise<Told | undefined> {
    try {
      return JSON.parse(await readFile(file, 'utf8')) as Told;
    } catch {
      return undefined;
    }
  }
}

const idOf = ({ podUid, attempt }: ContainerIdentity) => bareNetworkId(podUid, attempt);

async function ip(args: readonly string[]): Promise<void> {
  await run('ip', args, { timeout: COMMAND_MS });
}
