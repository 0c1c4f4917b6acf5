import { ApiError } from '../../resources/api-error.ts';
import type { PodStream } from '../pod-streams.ts';
import type { Dial } from './port-forward.ts';
import type { SpdyHandler, SpdyStream, StreamReader } from './spdy-connection.ts';

const NOTHING = new Uint8Array();

/**
 * Port forwarding on SPDY: for each connection the client opens two streams, `error` and then `data`, that have the same
 * `requestid` and `port`.
 */
export class SpdyForwarding implements SpdyHandler {
  readonly #dial: Dial;
  readonly #errors = new Map<string, SpdyStream>(); // by requestid

  constructor(dial: Dial) {
    this.#dial = dial;
  }

  opened(stream: SpdyStream): StreamReader | undefined {
    const request = stream.headers.get('requestid') ?? '';
    const port = Number(stream.headers.get('port'));
    if (!Number.isInteger(port) || port < 1 || port > 65_535) return undefined;
    if (stream.headers.get('streamtype') === 'error') {
      this.#errors.set(request, stream);
      return { data: () => {}, gone: () => this.#errors.delete(request) };
    }
    const errors = this.#errors.get(request);
    this.#errors.delete(request);
    if (!errors || stream.headers.get('streamtype') !== 'data') return undefined;
    return this.#forward(stream, errors, port);
  }

  #forward(stream: SpdyStream, errors: SpdyStream, port: number): StreamReader {
    const dialled = this.#dial(port);
    void this.#copy(dialled, stream, errors);
    const withStream = async (use: (open: PodStream) => Promise<void> | void) => {
      const open = await dialled.catch(() => undefined); // told on the error stream
      if (open) await use(open);
    };
    return {
      data: (data, last) => withStream((open) => open.write({ channel: 0, data, last })),
      gone: () => void withStream((open) => open.close()),
    };
  }

  async #copy(dialled: Promise<PodStream>, stream: SpdyStream, errors: SpdyStream): Promise<void> {
    try {
      for await (const { data } of (await dialled).output)
        if (data.length > 0) await stream.send(data, false);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      await errors.send(Buffer.from(error.message), false);
    }
    await stream.send(NOTHING, true);
    await errors.send(NOTHING, true);
  }
}
