import type { StopSignal } from './stop-signal.ts';

/** What a container is for: it runs a container of the pod, or holds the pod's network. */
export type Role = 'container' | 'infra';

/** Whose container this is. Written as labels, so that an agent that lost all else still knows its containers. */
export interface ContainerIdentity {
  readonly role: Role;
  readonly podUid: string;
  readonly podNamespace: string;
  readonly podName: string;
  /** The container's name in the pod's spec; empty for infra. */
  readonly container: string;
  /** How many containers this one had before it: Kubernetes' restartCount. */
  readonly attempt: number;
  readonly specHash: string;
  /** How many attempts in a row, up to the one before this, ended soon: what the next back-off follows from. */
  readonly crashes: number;
  /** Between TERM and KILL, for when the pod's spec is no longer known. */
  readonly graceSeconds: number;
  /** The infra container that it was made under: its id, or empty. */
  readonly infra: string;
  /** When the pod came to this device, in ms of the wall clock; 0 when that is not known. */
  readonly podSinceMs: number;
  /** The pod's address, where the agent has chosen it; else empty. */
  readonly podIp: string;
  /** The devices that the containers of the pod have for themselves; else empty. */
  readonly podDevices: string;
}

/** A container as it is now. Times of the wall are the engine's, in ms since 1970. */
export interface ObservedContainer extends ContainerIdentity {
  readonly id: string;
  /** What runs it. */
  readonly engine: 'docker' | 'podman';
  readonly image: string;
  /** The engine's id of the image it runs: `sha256:…`. */
  readonly imageId: string;
  readonly state: 'created' | 'running' | 'exited';
  readonly exitCode: number;
  readonly oomKilled: boolean;
  /** What the engine says went wrong; usually empty. */
  readonly error: string;
  /** Its command cannot run: it has ended without having begun. */
  readonly isUnstartable?: true;
  /** What it left to say about its end, if anything. */
  readonly message?: string;
  readonly startedAtMs: number | undefined;
  readonly finishedAtMs: number | undefined;
  /** When the exit was seen, or is estimated to have been, on the monotonic clock. */
  readonly exitedAtMs: number | undefined;
  /** Of its first process, as the device sees it; 0 when it does not run. */
  readonly pid: number;
  /** Its address; empty when it has none of its own. */
  readonly ip: string;
  /** It makes its network itself, which then must be joined to the node's. */
  readonly makesNetwork: boolean;
  /** Where its network is, when it is nothing else. */
  readonly networkFile?: string;
  readonly stopSignal: string;
}

export interface Mount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  /** Whether what is mounted below it later is seen on the other side. Absent: it is not. */
  readonly propagation?: 'rprivate' | 'rslave' | 'rshared';
}

/** A device that a container has: nodes of the device itself, what a CDI file calls one, or a GPU by its number. */
export type DeviceGrant =
  | { readonly type: 'node'; readonly path: string; readonly target: string }
  | { readonly type: 'cdi'; readonly name: string }
  | { readonly type: 'gpu'; readonly id: string };

export interface PortBinding {
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly hostPort: number;
  /** Empty for all addresses. */
  readonly hostIp: string;
}

/**
 * One of its own, the device's, that of another container (its id), or, for networks, one that an infra container makes
 * itself, or is and nothing else (`bare`), or the engine makes in the network of that name, or that a file is.
 */
export type Namespace =
  | { readonly type: 'own' | 'host' | 'made-by-itself' | 'bare' }
  | { readonly type: 'file'; readonly path: string }
  | { readonly type: 'named'; readonly name: string; readonly ip: string }
  | { readonly type: 'container'; readonly id: string };

/** Which system calls it may make: all, or what a file says; then, once it was read, its text as well. */
export type SeccompProfile =
  | { readonly type: 'none' }
  | { readonly type: 'file'; readonly path: string }
  | { readonly type: 'text'; readonly text: string; readonly path: string };

/** Everything the engine needs to make a container; already free of Kubernetes' indirections. */
export interface ContainerSpec {
  readonly identity: ContainerIdentity;
  readonly image: string;
  /** Absent: the image's own. */
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly env: readonly string[];
  readonly workingDir?: string;
  readonly hostname?: string;
  /** Below which its host name is found. */
  readonly domain?: string;
  /** Names that its programs know without asking: `name:address`. */
  readonly extraHosts?: readonly string[];
  /** How its programs look names up. Absent: as the engine sees fit. */
  readonly resolver?: Resolver;
  readonly mounts: readonly Mount[];
  readonly ports: readonly PortBinding[];
  /** One of its own is on the bridge. */
  readonly network: Namespace;
  /** Which processes it sees. Absent: its own. */
  readonly processes?: Namespace;
  /** What shares its memory with others. Absent: nobody. `offered`: to who asks for it. */
  readonly ipc?: Namespace | { readonly type: 'offered' };
  readonly cpuMilli?: number;
  readonly cpuRequestMilli?: number;
  readonly memoryBytes?: number;
  /** How many processes it may have. */
  readonly pidsLimit?: number;
  /** How soon the kernel ends it for want of memory: 1000 first, -1000 never. */
  readonly oomScore?: number;
  readonly devices?: readonly DeviceGrant[];
  readonly user?: string;
  /** Groups that its processes have besides their own. */
  readonly groups?: readonly number[];
  readonly privileged?: boolean;
  readonly readOnlyRoot?: boolean;
  readonly addCapabilities?: readonly string[];
  readonly dropCapabilities?: readonly string[];
  readonly noNewPrivileges?: boolean;
  /** Parts of /proc that are usually hidden are not. */
  readonly unmaskedProc?: boolean;
  /** Absent: the engine's own. */
  readonly seccomp?: SeccompProfile;
  /** A profile that the device has, or `unconfined`. Absent: the engine's own. */
  readonly appArmor?: string;
  /** Such as `level:s0:c1`. */
  readonly seLinux?: readonly string[];
  /** Of its network and its shared memory. */
  readonly sysctls?: Readonly<Record<string, string>>;
  readonly tty?: boolean;
  readonly stdin?: boolean;
  /** Its stdin ends with the first who attaches to it. */
  readonly stdinOnce?: boolean;
  /** With what it is asked to end, if not as the image says. */
  readonly stopSignal?: string;
}

/** How programs look names up: what /etc/resolv.conf says. */
export interface Resolver {
  readonly servers: readonly string[];
  readonly search: readonly string[];
  /** Such as `ndots:2`. */
  readonly options: readonly string[];
}

/** Why a call to the engine failed, as far as the plan must know. */
export type FailureKind =
  | 'image-absent'
  /** What is called an image is no name of one. */
  | 'image-name'
  | 'port-taken'
  | 'name-taken'
  | 'gone'
  /** The engine does not answer: nothing is known of its containers until it does. */
  | 'engine-down'
  /** Its registry does not give the image to who asks. */
  | 'image-denied'
  | 'disk-full'
  | 'other';

export class RuntimeError extends Error {
  readonly kind: FailureKind;

  constructor(kind: FailureKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RuntimeError';
    this.kind = kind;
  }
}

export interface LogOptions {
  readonly follow: boolean;
  readonly timestamps: boolean;
  /** Which of the two; both unless it is said. */
  readonly stdout?: boolean;
  readonly stderr?: boolean;
  readonly tailLines?: number;
  readonly sinceMs?: number;
}

/** What is joined of a container's process. */
export interface AttachOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

export interface ExecOptions extends AttachOptions {
  readonly command: readonly string[];
  readonly tty: boolean;
}

/** A piece of stdout (1) or stderr (2). */
export interface OutputChunk {
  readonly channel: number;
  readonly data: Uint8Array;
}

/** A process whose input and output are joined to the caller. */
export interface AttachedProcess {
  /** Ends with the process, or when its output is closed. */
  readonly output: AsyncIterable<OutputChunk>;
  /** To its stdin. Resolves when it can take more, rejects when it reads no more. */
  write(data: Uint8Array): Promise<void>;
  /** Nothing follows on its stdin. */
  endInput(): void;
  resize(columns: number, rows: number): Promise<void>;
  /** Waits for its end. */
  exitCode(): Promise<number>;
}

/** What a running container has used so far, and holds now. */
export interface ContainerStats {
  /** Of CPU, since it started. */
  readonly cpuNanoseconds: number;
  readonly workingSetBytes: number;
  /** How many there are in it, threads among them. */
  readonly processes: number;
}

/** A bridge of the engine, with IPv4. */
export interface EngineNetwork {
  readonly name: string;
  /** The kernel's name of it. */
  readonly bridge: string;
  /** Such as 172.18.0.0/16. */
  readonly subnet: string;
  readonly prefix: number;
  /** The device's own address in it. */
  readonly gateway: string;
  /**
   * Whether the bridge, and the ways out of it, are there without a container that the engine has joined to it; `held`: while
   * there is one, for all of its addresses. `never`: each container has ways out of its own.
   */
  readonly lasts: 'always' | 'held' | 'never';
}

/** What keeps a network there. */
export interface NetworkHolder {
  /** Of its first process. */
  readonly pid: number;
  /** Where the engine has its network. */
  readonly networkFile: string;
}

export interface EngineInfo {
  /** `docker://20.10.24` or `podman://4.3.1`, as Kubernetes' containerRuntimeVersion. */
  readonly version: string;
  readonly osImage: string;
  readonly kernelVersion: string;
}

/** Something happened to a container: it is to be looked at. */
export interface ContainerChange {
  readonly id: string;
  /** When it has ended: all that a restart waits for, told before the container can be looked at. */
  readonly ended?: { readonly exitCode: number; readonly atMs: number };
}

/** A network is gone: its name. */
export interface NetworkLoss {
  readonly lostNetwork: string;
}

/** An image came, went, or is called otherwise. */
export interface ImagesChange {
  readonly changedImages: true;
}

/** Credentials for registries, as pods name them: a Secret of one of the types for that. */
export interface PullSecret {
  readonly type?: string;
  /** base64 by key. */
  readonly data?: Readonly<Record<string, string>>;
}

export interface PullOptions {
  readonly secrets: readonly PullSecret[];
  /** Of downloads that take long. */
  readonly onProgress: (doneBytes: number, totalBytes: number) => void;
}

/** An image of the engine, whoever has put it there. */
export interface StoredImage {
  readonly id: string;
  /** What it is called; none of what lost its names to another. */
  readonly names: readonly string[];
  readonly sizeBytes: number;
  /** Whether a container is of it. */
  readonly isUsed: boolean;
}

/** What the engine says of an image that is there. */
export interface FoundImage {
  /** The engine's own: `sha256:…`. */
  readonly id: string;
  /** By which registries know it, `name@sha256:…`; none for what was never in one. */
  readonly digests: readonly string[];
  readonly sizeBytes: number;
}

/** The disk that the engine keeps its images on. */
export interface EngineDisk {
  readonly path: string;
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** Of a command that has ended. */
export interface CommandResult {
  readonly exitCode: number;
  /** The first of what it wrote, stdout and stderr. */
  readonly output: string;
}

/** Who makes networks for containers. */
export interface NetworkMaker {
  /** Makes sure that the bridge network is there. Without a subnet it chooses. Rejects when another is there. */
  ensureNetwork(name: string, bridge: string, subnet: string | undefined): Promise<EngineNetwork>;
  /** Makes sure that a network that lasts while it is held is, by a container with the address. */
  holdNetwork(name: string, ip: string): Promise<NetworkHolder>;
  /** Whether infra containers can be networks and nothing else. */
  readonly hasBareNetworks: boolean;
}

/** The container engine of this device, seen through this node's containers only. Failures are RuntimeErrors. */
export interface Runtime {
  info(): Promise<EngineInfo>;
  /** Whether it answers at all. */
  ping(signal: AbortSignal): Promise<void>;
  list(): Promise<ObservedContainer[]>;
  /** Undefined when it is gone. */
  inspect(id: string): Promise<ObservedContainer | undefined>;
  /** Returns the new container's id. */
  create(spec: ContainerSpec): Promise<string>;
  start(id: string): Promise<void>;
  /** To a container that has ended or is gone: nothing happens. */
  signal(id: string, signal: string): Promise<void>;
  /** Kills it and waits for its end. */
  kill(id: string): Promise<void>;
  /** Kills it if it runs. Of a container that is gone: nothing happens. */
  remove(id: string): Promise<void>;
  /** Undefined when it is not there. */
  findImage(image: string): Promise<FoundImage | undefined>;
  /** The disk that images are on; undefined where that cannot be known, as of an engine on another machine. */
  disk(): Promise<EngineDisk | undefined>;
  /** Who its processes are unless somebody else is named: `user` or `user:group`, empty for root. */
  imageUser(image: string): Promise<string>;
  /** Where its files are on this device, layer by layer, the uppermost first. Rejects where an engine does not say. */
  imageLayers(image: string): Promise<readonly string[]>;
  pull(image: string, options: PullOptions): Promise<void>;
  /** All that the engine has, one by one: there may be hundreds. */
  namedImages(): AsyncIterable<Pick<StoredImage, 'names' | 'sizeBytes'>>;
  /** The same at once, and whether they are used. */
  images(): Promise<StoredImage[]>;
  /** Of an image that is gone, or that a container still uses: nothing happens. */
  removeImage(image: string): Promise<void>;
  /** Makes sure that the image of infra containers is there, and returns its name. */
  infraImage(): Promise<string>;
  /**
   * Runs a command in the container. When the signal is aborted it rejects: with the signal's reason where the command runs
   * still, otherwise with `engine-down`, for it was the engine that was waited for. `onStart` is called when the
   * engine starts the command.
   */
  exec(
    id: string,
    command: readonly string[],
    signal: StopSignal,
    onStart?: () => void,
  ): Promise<CommandResult>;
  /** Runs a command in the container, joined to the caller. It is let go of when the signal is aborted. */
  execAttached(id: string, options: ExecOptions, signal: AbortSignal): Promise<AttachedProcess>;
  /** Joins the process that the container runs. */
  attach(id: string, options: AttachOptions, signal: AbortSignal): Promise<AttachedProcess>;
  /** stdout and stderr as one stream of bytes. */
  logs(id: string, options: LogOptions, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** Undefined when it does not run. */
  stats(id: string, signal: AbortSignal): Promise<ContainerStats | undefined>;
  /** Bytes on the engine's disk: what it wrote beside its volumes, and its logs. Takes a look at each file. */
  diskUse(id: string): Promise<number>;
  /** Containers that started, ended or went, and networks that went, as it happens. Ends or throws when the engine goes away. */
  changes(signal: AbortSignal): Promise<AsyncIterable<ContainerChange | NetworkLoss | ImagesChange>>;
}
