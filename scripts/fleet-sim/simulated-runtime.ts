import { createHash } from 'node:crypto';
import { EventEmitter, on } from 'node:events';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type AttachedProcess,
  type ContainerChange,
  type ContainerIdentity,
  type ContainerSpec,
  type ContainerStats,
  type EngineDisk,
  type EngineInfo,
  type FoundImage,
  type ObservedContainer,
  type Runtime,
  RuntimeError,
} from '../../agent/runtime/runtime.ts';
import { type Draw, type Range, within } from './draw.ts';
import { type Behaviour, type CommandBehaviour, type ImageBehaviour, isOn } from './scenario.ts';

export interface SimulatedRuntimeOptions {
  readonly node: string;
  /** Number of the device in its fleet: addresses follow from it. */
  readonly index: number;
  readonly behaviour: Behaviour;
  readonly image: (name: string) => ImageBehaviour;
  readonly draw: Draw;
  /** Since the fleet was started. */
  readonly elapsedMs: () => number;
  /** The device's clock. */
  readonly now: () => number;
  /** Why this container cannot be simulated; undefined when it can. */
  readonly refusal: (identity: ContainerIdentity) => string | undefined;
  /** A container is to be made. */
  readonly onCreate: (image: string) => void;
  /** A container started, ended or went. */
  readonly onChange: () => void;
}

interface Container {
  readonly spec: ContainerSpec;
  observed: ObservedContainer;
  /** Until it ends by itself, or as it was asked to. */
  end: NodeJS.Timeout | undefined;
}

const INFRA_IMAGE = 'holdfast.dev/simulated-infra';
const KILLED = 137;
const NO_SPACE = 'no space left on device';
const CPU_MILLI = 10;
const DISK_BYTES = 16 * 1024 ** 3;
const WORKING_SET_BYTES = 8 * 1024 * 1024;
const MS_IN_NS = 1e6;

/** A container engine of which nothing is real but its answers: containers are entries of a table, and do what the scenario says. */
export class SimulatedRuntime implements Runtime {
  readonly #options: SimulatedRuntimeOptions;
  readonly #containers = new Map<string, Container>();
  readonly #pulled = new Set<string>();
  readonly #removed = new Set<string>(); // of those that were there from the beginning
  readonly #changes = new EventEmitter();
  #made = 0;
  #pulls = 0;

  constructor(options: SimulatedRuntimeOptions) {
    this.#options = options;
  }

  async info(): Promise<EngineInfo> {
    return { version: 'docker://simulated', osImage: 'Holdfast fleet simulator', kernelVersion: '' };
  }

  async ping(): Promise<void> {}

  async list(): Promise<ObservedContainer[]> {
    return this.containers();
  }

  /** All of them, as they are now. */
  containers(): ObservedContainer[] {
    return [...this.#containers.values()].map(({ observed }) => observed);
  }

  async inspect(id: string): Promise<ObservedContainer | undefined> {
    return this.#containers.get(id)?.observed;
  }

  async create(spec: ContainerSpec): Promise<string> {
    const { identity, image } = spec;
    const what = `create container of image "${image}"`;
    this.#options.onCreate(image);
    const refusal = this.#options.refusal(identity);
    if (refusal) throw new RuntimeError('other', `${what}: ${refusal}`);
    await this.#pause('create', this.#options.behaviour.createMs, image, identity.attempt);
    if (!(await this.hasImage(image))) {
      throw new RuntimeError('image-absent', `${what}: No such image: ${image}`);
    }
    if (this.#isDiskFull)
      throw new RuntimeError('other', `${what}: mkdir /var/lib/docker/overlay2: ${NO_SPACE}`);
    if (this.#has(identity))
      throw new RuntimeError('name-taken', `${what}: Conflict: its name is already in use`);
    this.#made += 1;
    const id = hex(this.#options.node, this.#made);
    this.#containers.set(id, { spec, observed: this.#created(id, spec), end: undefined });
    return id;
  }

  async start(id: string): Promise<void> {
    const { spec } = this.#get(id, 'start container');
    await this.#pause('start', this.#options.behaviour.startMs, spec.image, spec.identity.attempt);
    const container = this.#get(id, 'start container');
    if (container.observed.state === 'running') return;
    container.observed = {
      ...container.observed,
      state: 'running',
      startedAtMs: this.#options.now(),
      ip: spec.network.type === 'own' ? this.#address() : '',
    };
    this.#plan(id, container);
    this.#tell({ id });
  }

  async signal(id: string, signal: string): Promise<void> {
    const container = this.#containers.get(id);
    if (container?.observed.state !== 'running') return;
    const number =
      (constants.signals as Readonly<Record<string, number>>)[signal] ?? constants.signals.SIGTERM;
    const isKill = number === constants.signals.SIGKILL;
    if (!isKill && this.#options.image(container.spec.image).ignoresTerm) return;
    const { behaviour, draw } = this.#options;
    const delayMs = isKill ? 0 : within(behaviour.stopMs ?? 0, draw('stop', container.spec.image));
    this.#endAfter(id, container, delayMs, 128 + number);
  }

  async kill(id: string): Promise<void> {
    this.#end(id, KILLED);
  }

  async remove(id: string): Promise<void> {
    this.#end(id, KILLED);
    if (this.#containers.delete(id)) this.#tell({ id });
  }

  /** No simulated image is root's. */
  async imageLayers(): Promise<readonly string[]> {
    return [];
  }

  async imageUser(): Promise<string> {
    return '1000';
  }

  async hasImage(image: string): Promise<boolean> {
    if (image === INFRA_IMAGE || this.#pulled.has(image)) return true;
    return this.#options.image(image).present === true && !this.#removed.has(image);
  }

  async findImage(image: string): Promise<FoundImage | undefined> {
    if (!(await this.hasImage(image))) return undefined;
    const digest = `sha256:${hex('manifest', image)}`;
    const { sizeBytes = 0 } = this.#options.image(image);
    const digests = [image.includes('@') ? image : `${image}@${digest}`];
    return { id: `sha256:${hex(image)}`, digests, sizeBytes };
  }

  async disk(): Promise<EngineDisk> {
    const freeBytes = this.#isDiskFull ? 0 : DISK_BYTES / 2;
    return { path: '/var/lib/docker', freeBytes, totalBytes: DISK_BYTES };
  }

  async removeImage(image: string): Promise<void> {
    if (this.containers().some((container) => container.image === image)) return;
    this.#pulled.delete(image);
    this.#removed.add(image);
  }

  async pull(image: string): Promise<void> {
    const what = `pull image "${image}"`;
    const { absent, sizeBytes = 0, pullMs } = this.#options.image(image);
    const { bytesPerSecond } = this.#options.behaviour;
    this.#pulls += 1;
    const speed = bytesPerSecond && within(bytesPerSecond, this.#options.draw('speed'));
    await this.#pause('pull', pullMs ?? (speed ? (sizeBytes / speed) * 1000 : 0), image, this.#pulls);
    if (absent) throw new RuntimeError('other', `${what}: manifest for ${image} not found: manifest unknown`);
    if (this.#isDiskFull) throw new RuntimeError('other', `${what}: write /var/lib/docker/tmp: ${NO_SPACE}`);
    this.#pulled.add(image);
  }

  /** None that anybody would have to remove: its disk is full or not as it is told. */
  async *namedImages(): AsyncGenerator<never> {}

  async images(): Promise<[]> {
    return [];
  }

  async infraImage(): Promise<string> {
    return INFRA_IMAGE;
  }

  async exec(id: string, command: readonly string[], signal: AbortSignal) {
    const { spec, observed } = this.#get(id, 'exec in container');
    if (observed.state !== 'running')
      throw new RuntimeError('gone', `exec in container: ${id} is not running`);
    const { draw, now } = this.#options;
    const behaviour = commandOf(this.#options.image(spec.image), command);
    const drawn = (name: string, range: Range) => within(range, draw(name, spec.image, command.join(' ')));
    await this.#pause('exec', behaviour.tookMs, spec.image, 0, signal);
    const ageMs = now() - (observed.startedAtMs ?? 0);
    const isGood =
      ageMs >= drawn('ok-from', behaviour.okFromMs ?? 0) &&
      ageMs < drawn('ok-until', behaviour.okUntilMs ?? Number.POSITIVE_INFINITY);
    return { exitCode: isGood ? 0 : 1, output: '' };
  }

  async execAttached(): Promise<AttachedProcess> {
    throw noProcess('exec in container');
  }

  async attach(): Promise<AttachedProcess> {
    throw noProcess('attach to container');
  }

  async logs(id: string): Promise<AsyncIterable<Uint8Array>> {
    const { spec } = this.#get(id, 'read logs');
    return ofOne(Buffer.from(`a simulated container of image "${spec.image}" on ${this.#options.node}\n`));
  }

  async stats(id: string): Promise<ContainerStats | undefined> {
    const observed = this.#containers.get(id)?.observed;
    if (observed?.state !== 'running') return undefined;
    const { now, draw, image: behaviourOf } = this.#options;
    const { memoryBytes = WORKING_SET_BYTES, cpuMilli = CPU_MILLI } = behaviourOf(observed.image);
    const ageMs = now() - (observed.startedAtMs ?? 0);
    const cores = within(cpuMilli, draw('cpu', observed.image)) / 1000;
    return {
      cpuNanoseconds: Math.round(ageMs * MS_IN_NS * cores),
      workingSetBytes: Math.round(within(memoryBytes, draw('memory', observed.image))),
      processes: 1,
    };
  }

  async diskUse(): Promise<number> {
    return 0;
  }

  async changes(signal: AbortSignal): Promise<AsyncIterable<ContainerChange>> {
    return firstsOf(on(this.#changes, 'change', { signal }) as AsyncIterable<[ContainerChange]>);
  }

  /** The device lost its power: whatever ran has ended. */
  endAll(): void {
    for (const id of this.#containers.keys()) this.#end(id, KILLED);
  }

  /** The engine lost all that it had. */
  forgetAll(): void {
    this.close();
    this.#containers.clear();
    this.#pulled.clear();
  }

  /** Nothing happens any more. */
  close(): void {
    for (const { end } of this.#containers.values()) clearTimeout(end);
  }

  get #isDiskFull(): boolean {
    const { behaviour, elapsedMs } = this.#options;
    return isOn(behaviour.diskFull, elapsedMs());
  }

  /** As engines have names of containers: one of each attempt. */
  #has({ podUid, container, attempt }: ContainerIdentity): boolean {
    return this.containers().some(
      (other) => other.podUid === podUid && other.container === container && other.attempt === attempt,
    );
  }

  #created(id: string, { identity, image }: ContainerSpec): ObservedContainer {
    return {
      ...identity,
      id,
      engine: 'docker',
      image,
      imageId: `sha256:${hex(image)}`,
      state: 'created',
      exitCode: 0,
      oomKilled: false,
      error: '',
      startedAtMs: undefined,
      finishedAtMs: undefined,
      exitedAtMs: undefined,
      pid: 0,
      ip: '',
      makesNetwork: false,
      stopSignal: 'SIGTERM',
    };
  }

  /** Of the loopback, so that nothing ever leaves this machine. */
  #address(): string {
    const number = this.#options.index * 251 + (this.#made % 251);
    return `127.${128 + ((number >> 16) & 127)}.${(number >> 8) & 255}.${number & 255}`;
  }

  /** When it will end by itself, if it will. */
  #plan(id: string, container: Container): void {
    const { image, identity } = container.spec;
    const { exit } = this.#options.image(image);
    if (!exit || identity.role === 'infra') return;
    const chance = this.#options.draw('exit', image, identity.container, identity.attempt);
    this.#endAfter(id, container, within(exit.afterMs, chance), exit.code ?? 1);
  }

  #endAfter(id: string, container: Container, delayMs: number, exitCode: number): void {
    clearTimeout(container.end);
    if (delayMs > 0) container.end = setTimeout(() => this.#end(id, exitCode), delayMs);
    else this.#end(id, exitCode);
  }

  #end(id: string, exitCode: number): void {
    const container = this.#containers.get(id);
    if (container?.observed.state !== 'running') return;
    clearTimeout(container.end);
    const atMs = this.#options.now();
    container.observed = {
      ...container.observed,
      state: 'exited',
      exitCode,
      finishedAtMs: atMs,
      exitedAtMs: performance.now(),
      ip: '',
    };
    this.#tell({ id, ended: { exitCode, atMs } });
  }

  #tell(change: ContainerChange): void {
    this.#changes.emit('change', change);
    this.#options.onChange();
  }

  #get(id: string, what: string): Container {
    const container = this.#containers.get(id);
    if (!container) throw new RuntimeError('gone', `${what}: No such container: ${id}`);
    return container;
  }

  async #pause(what: string, range: Range | undefined, image: string, turn: number, signal?: AbortSignal) {
    const delayMs = within(range ?? 0, this.#options.draw(what, image, turn));
    if (delayMs <= 0) return;
    await sleep(delayMs, undefined, { signal }).catch((error: unknown) => {
      throw signal?.reason ?? error;
    });
  }
}

function commandOf({ commands = [] }: ImageBehaviour, command: readonly string[]): CommandBehaviour {
  return commands.find(({ contains = '' }) => command.join(' ').includes(contains)) ?? {};
}

function noProcess(what: string): RuntimeError {
  return new RuntimeError('other', `${what}: it is simulated, there is no process in it`);
}

function hex(...of: (string | number)[]): string {
  return createHash('sha256').update(of.join('/')).digest('hex');
}

async function* firstsOf<T>(lists: AsyncIterable<[T]>): AsyncIterable<T> {
  for await (const [first] of lists) yield first;
}

async function* ofOne<T>(value: T): AsyncIterable<T> {
  yield value;
}
