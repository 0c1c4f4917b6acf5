import { Agent } from 'node:http';
import type { Readable } from 'node:stream';
import { inspect } from 'node:util';
import Docker from 'dockerode';
import { runtimeError } from './docker-errors.ts';
import type { EngineAddress } from './plain-call.ts';
import { RuntimeError } from './runtime.ts';

export interface DockerInfo {
  /** Where its data is. */
  readonly DockerRootDir: string;
  /** What the machine runs on. */
  readonly OperatingSystem: string;
}

/** An engine that is asked for things again and again, and what differs in it from Docker's. */
export class DockerConnection {
  readonly docker: Docker;
  readonly address: EngineAddress;
  /** On this machine. */
  readonly isLocal: boolean;
  /** Containers whose command cannot run, by id, and why: what Podman tells who starts one, and then forgets. */
  readonly unstartable = new Map<string, string>();
  /** Containers that Podman calls running and that have ended, by id, and when that was found (ms, wall clock). */
  readonly missed = new Map<string, number>();
  // Podman asks the machine's package manager of what it is made, for each answer anew.
  readonly #version = new Answer(() => this.docker.version());
  readonly #info = new Answer(() => this.docker.info() as Promise<DockerInfo>);

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

  /** What the engine is, which it is asked once. */
  version(): Promise<Docker.DockerVersion> {
    return this.#version.get();
  }

  /** Of what the engine tells of itself, what stays as it is while it runs; it is asked once. */
  info(): Promise<DockerInfo> {
    return this.#info.get();
  }

  /** How this engine differs from Docker's, if it is another. */
  async podman(): Promise<typeof import('./podman.ts') | undefined> {
    return isPodman(await this.version()) ? import('./podman.ts') : undefined;
  }

  /** It may be another engine than before. */
  forget(): void {
    this.#version.forget();
    this.#info.forget();
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

/** What is asked for once, and again after it was forgotten or could not be had. */
class Answer<T> {
  readonly #ask: () => Promise<T>;
  #asked: Promise<T> | undefined;

  constructor(ask: () => Promise<T>) {
    this.#ask = ask;
  }

  get(): Promise<T> {
    if (this.#asked !== undefined) return this.#asked;
    const asked = this.#ask();
    this.#asked = asked;
    asked.catch(() => {
      if (this.#asked === asked) this.forget();
    });
    return asked;
  }

  forget(): void {
    this.#asked = undefined;
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
