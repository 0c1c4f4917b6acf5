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

/** Where the output of containers comes from: over the link, from the agents. */
export interface LogSource {
  /**
   * Resolves once it is clear that there is something to read; the bytes are the text as the client gets it. Throws
   * an ApiError: 503 when the node is not connected, 504 when it does not answer, 400 `container "x" in pod "p" is
   * waiting to start: ContainerCreating`. Ends when `signal` is aborted.
   */
  open(request: LogRequest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
}
