import type { PodObject } from '../resources/typed.ts';

/** Which part of a container's output, and how. */
export interface LogOptions {
  readonly follow: boolean;
  /** Of the container's last run instead of the present one. */
  readonly previous: boolean;
  readonly timestamps: boolean;
  readonly sinceSeconds?: number;
  /** RFC 3339. */
  readonly sinceTime?: string;
  readonly tailLines?: number;
  readonly limitBytes?: number;
  readonly stream: 'All' | 'Stdout' | 'Stderr';
}

export interface LogRequest {
  readonly pod: PodObject;
  readonly container: string;
  readonly options: LogOptions;
}

/** What of a container's process is joined to the client. */
export interface AttachRequest {
  readonly pod: PodObject;
  readonly container: string;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

export interface ExecRequest extends AttachRequest {
  readonly command: readonly string[];
}

export interface PortRequest {
  readonly pod: PodObject;
  readonly port: number;
}

/** A piece of one channel: 0 stdin, 1 stdout, 2 stderr, 4 sizes of the terminal as JSON; 0 alone for a connection. */
export interface Chunk {
  readonly channel: number;
  readonly data: Uint8Array;
  /** Nothing follows on this channel. */
  readonly last: boolean;
}

/** A stream to and from a container. */
export interface PodStream {
  /** Ends with what it is joined to. Throws an ApiError when it broke off. */
  readonly output: AsyncIterable<Chunk>;
  /** Resolves when more can be written; at once when nobody reads any more. */
  write(chunk: Chunk): Promise<void>;
  /** Of a command, once `output` has ended. */
  readonly exitCode: number | undefined;
  close(): void;
}

/**
 * Streams to and from containers: over the link, through the agents. Each resolves once it is open. All throw an
 * ApiError: 503 when the node is not connected, 400 when there is nothing to join (a container that does not run yet).
 */
export interface PodStreams {
  /** The bytes are the text as the client gets it. Ends when `signal` is aborted. */
  log(request: LogRequest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  exec(request: ExecRequest): Promise<PodStream>;
  attach(request: AttachRequest): Promise<PodStream>;
  /** One TCP connection to a port of the pod. */
  connect(request: PortRequest): Promise<PodStream>;
  /** Throws what `connect` would for want of a connection to the node: before a client is told that it may begin. */
  checkConnected(pod: PodObject): void;
}
