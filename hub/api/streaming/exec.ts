import { badRequest } from '../../resources/api-error.ts';
import type { PodObject } from '../../resources/typed.ts';
import type { Exchange } from '../exchange.ts';
import { containerOf } from '../logs.ts';
import type { AttachRequest, PodStream } from '../pod-streams.ts';
import { isYes } from '../query.ts';
import { existing } from '../read.ts';
import type { ResourceRequest } from '../request-info.ts';
import type { ClientChannels } from './client-channels.ts';
import { join } from './join.ts';
import { SPDY_CHANNEL_PROTOCOLS, SpdyChannels } from './spdy-channels.ts';
import { agree, checkConnection, type Upgraded } from './upgrade.ts';
import { CHANNEL_PROTOCOLS, WebSocketChannels } from './websocket-channels.ts';

const SPOKEN = { websocket: CHANNEL_PROTOCOLS, spdy: SPDY_CHANNEL_PROTOCOLS };
const [STDIN, STDOUT, STDERR, RESIZE] = [0, 1, 2, 4];

/** `pods/x/exec`: runs a command in a container. */
export async function exec(exchange: Exchange, target: ResourceRequest): Promise<void> {
  const request = attachRequest(exchange, target);
  const command = exchange.url.searchParams.getAll('command');
  if (command.length === 0) throw badRequest('you must specify at least one command for the container');
  checkConnection(exchange, target, 'PodExecOptions', { ...optionsOf(exchange, request), command });
  await serve(exchange, request, () => exchange.context.streams.exec({ ...request, command }));
}

/** `pods/x/attach`: joins the process that a container runs. */
export async function attach(exchange: Exchange, target: ResourceRequest): Promise<void> {
  const request = attachRequest(exchange, target);
  checkConnection(exchange, target, 'PodAttachOptions', optionsOf(exchange, request));
  await serve(exchange, request, () => exchange.context.streams.attach(request));
}

/** What the client asks for, as policies see it: what is not set is not there. */
function optionsOf({ url }: Exchange, { stdin, stdout, stderr, tty }: AttachRequest): object {
  const set = Object.entries({ stdin, stdout, stderr, tty }).filter(([, is]) => is);
  const container = url.searchParams.get('container');
  return { ...Object.fromEntries(set), ...(container && { container }) };
}

/** What is wrong is answered before the upgrade, so that the client gets a Status. */
async function serve(
  exchange: Exchange,
  request: AttachRequest,
  open: () => Promise<PodStream>,
): Promise<void> {
  const agreed = agree(exchange, SPOKEN);
  const stream = await open();
  const client = await channelsOf(await agreed.accept(), request);
  if (client) await join(client, stream);
  else stream.close();
}

/** Undefined when the client did not open what it asked for. */
async function channelsOf(upgraded: Upgraded, request: AttachRequest): Promise<ClientChannels | undefined> {
  if (upgraded.type === 'websocket') return new WebSocketChannels(upgraded.socket);
  const channels = new SpdyChannels(upgraded.socket, channelsWanted(request));
  return (await channels.ready()) ? channels : undefined;
}

function channelsWanted({ stdin, stdout, stderr, tty }: AttachRequest): number[] {
  return [
    ...(stdin ? [STDIN] : []),
    ...(stdout ? [STDOUT] : []),
    ...(stderr ? [STDERR] : []),
    ...(tty ? [RESIZE] : []),
  ] as number[];
}

function attachRequest(exchange: Exchange, target: ResourceRequest): AttachRequest {
  const pod = existing(exchange, target) as PodObject;
  const query = exchange.url.searchParams;
  const is = (name: string) => isYes(query, name);
  const tty = is('tty');
  // A terminal has one output.
  const wanted = { stdin: is('stdin'), stdout: is('stdout'), stderr: is('stderr') && !tty };
  if (!wanted.stdin && !wanted.stdout && !wanted.stderr)
    throw badRequest('you must specify at least 1 of stdin, stdout, stderr');
  if (!pod.spec.nodeName) throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
  return { pod, container: containerOf(pod, query.get('container')), ...wanted, tty };
}
