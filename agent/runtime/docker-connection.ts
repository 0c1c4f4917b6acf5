import { Agent } from 'node:http';
import type { Readable } from 'node:stream';
import { inspect } from 'node:util';
import Docker from 'dockerode';
import { runtimeError } from './docker-errors.ts';
import type { EngineAddress } from './plain-call.ts';
import { RuntimeError } from './runtime.ts';

/** An engine that is asked for things again and again, and what differs in it from Docker's. */
export class DockerConnection {
  readonly docker: Docker;
  readonly address: EngineAddress;
  /** On this machine. */
  readonly isLocal: boolean;
  /** Containers whose command cannot run, by id, and why: what Podman tells who starts one, and then forgets. */
  readonly unstartable = new Map<string, string>();
  #asked: Promise<typeof import('./podman.ts') | undefined> | undefined;

  /** `host`: `unix:///path` or `tcp://host:port`. */
  constructor(host: string) {
    this.address = addressOf(host);
    this.docker = new Docker({ ...this.address, protocol: 'http' } as Docker.DockerOptions);
    this.isLocal = host.startsWith('unix:');
  }

  /** Rejects with a RuntimeError that says what was attempted. */
  async call<T>(what: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw runtimeError(what, error);
    }
  }

  /** Undefined of what is not there any more. */
  async unlessGone<T>(what: string, call: () => Promise<T>): Promise<T | undefined> {
    try {
      return await this.call(what, call);
    } catch (error) {
      if (!(error instanceof RuntimeError && error.kind === 'gone')) throw error;
      return undefined;
    }
  }

  /** How this engine differs from Docker's, if it is another. */
  podman(): Promise<typeof import('./podman.ts') | undefined> {
    this.#asked ??= this.docker
      .version()
      .then((version) => (isPodman(version) ? import('./podman.ts') : undefined))
      .catch((error: unknown) => {
        this.#asked = undefined;
        throw error;
      });
    return this.#asked;
  }

  /** It may be another engine than before. */
  forget(): void {
    this.#asked = undefined;
  }

  /** The answer to a GET as it comes. */
  openStream(path: string, options: object, abortSignal?: AbortSignal): Promise<Readable> {
    const statusCodes = { 200: true, 404: 'no such container', 500: 'server error' };
    return new Promise((resolve, reject) => {
      this.docker.modem.dial(
        { path, method: 'GET', isStream: true, statusCodes, options, ...(abortSignal && { abortSignal }) },
        (error: unknown, stream: unknown) => (error ? reject(error) : resolve(stream as Readable)),
      );
    });
  }
}

function addressOf(host: string): EngineAddress {
  // docker-modem inspects the options of every call, to any depth, for a debug line that nobody reads; without this, that
  // is most of what the agent does.
  const agent = Object.assign(new Agent({ keepAlive: true, maxFreeSockets: 2 }), {
    [inspect.custom]: () => 'agent',
  });
  const url = new URL(host);
  if (url.protocol === 'unix:') return { socketPath: url.pathname, agent };
  return { host: url.hostname, port: url.port || 2375, agent };
}

/** By the parts that an engine's version names. */
export const isPodman = ({ Components = [] }: { Components?: readonly { Name: string }[] }) =>
  Components.some(({ Name }) => Name.startsWith('Podman'));
