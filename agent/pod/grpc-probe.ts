import { connect } from 'node:http2';
import type { StopSignal } from '../runtime/stop-signal.ts';
import { PROBE_USER_AGENT } from './probe-user-agent.ts';

/*
 * One question of gRPC's health protocol (grpc.health.v1.Health/Check), over HTTP/2 in clear text as the kubelet asks
 * it: https://github.com/grpc/grpc/blob/master/doc/health-checking.md. Two messages of one field each need no library.
 */

const PATH = '/grpc.health.v1.Health/Check';
const PREFIX_BYTES = 5; // not compressed, and the message's length
const SERVICE_FIELD = 0x0a; // 1, a string
const STATUS_FIELD = 0x08; // 1, a number
const SERVING = 1;
const STATUS = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
const MAX_ANSWER_BYTES = 64 * 1024;

/** Returns why the service is not healthy, undefined when it is. Rejects when it cannot be asked. */
export async function tryGrpc(
  host: string,
  port: number,
  service: string,
  signal: StopSignal,
): Promise<string | undefined> {
  const session = connect(`http://${host.includes(':') ? `[${host}]` : host}:${port}`);
  const abort = () => session.destroy(signal.reason as Error);
  signal.addEventListener('abort', abort);
  if (signal.aborted) abort();
  try {
    return await new Promise<string | undefined>((resolve, reject) => {
      session.once('error', reject).once('close', () => reject(new Error('the connection was closed')));
      const stream = session.request({
        ':method': 'POST',
        ':path': PATH,
        'content-type': 'application/grpc',
        te: 'trailers',
        'user-agent': PROBE_USER_AGENT,
      });
      let grpcStatus: string | undefined;
      let grpcMessage = '';
      const take = (headers: Readonly<Record<string, unknown>>) => {
        grpcStatus ??= headers['grpc-status'] as string | undefined;
        grpcMessage ||= (headers['grpc-message'] as string | undefined) ?? '';
      };
      let answer = Buffer.alloc(0);
      stream
        .once('error', reject)
        .on('response', take)
        .on('trailers', take)
        .on('data', (chunk: Buffer) => {
          answer = Buffer.concat([answer, chunk]);
          if (answer.length > MAX_ANSWER_BYTES)
            session.destroy(new Error('its answer is no health report: it is too long'));
        })
        .once('end', () => resolve(verdictOn(grpcStatus, decodeURIComponent(grpcMessage), answer)));
      stream.end(requestOf(service));
    });
  } catch (error) {
    throw (error as Error).cause ?? error; // a stream's end is its connection's fault
  } finally {
    signal.removeEventListener('abort', abort);
    session.destroy();
  }
}

function requestOf(service: string): Buffer {
  const name = Buffer.from(service);
  const message =
    name.length > 0 ? Buffer.concat([Buffer.from([SERVICE_FIELD, ...varint(name.length)]), name]) : name;
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function varint(number: number): number[] {
  return number < 0x80 ? [number] : [(number & 0x7f) | 0x80, ...varint(number >>> 7)];
}

function verdictOn(grpcStatus: string | undefined, message: string, answer: Buffer): string | undefined {
  if (grpcStatus !== '0')
    return `it answered with gRPC status ${grpcStatus ?? 'none'}${message && `: ${message}`}`;
  const status = answer[PREFIX_BYTES] === STATUS_FIELD ? (answer[PREFIX_BYTES + 1] ?? 0) : 0;
  return status === SERVING ? undefined : `service unhealthy (responded with "${STATUS[status] ?? status}")`;
}
