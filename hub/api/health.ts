import type { Exchange } from './exchange.ts';
import { sendJson, sendText } from './reply.ts';

/** Clients compare it with what they support: it is the Kubernetes version whose API this is. */
const VERSION = {
  major: '1',
  minor: '34',
  gitVersion: 'v1.34.1+holdfast',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: 'none',
  compiler: 'node',
  platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
};

export function version(exchange: Exchange): void {
  sendJson(exchange, 200, VERSION);
}

/** Who gets an answer here is served: the hub listens only once it is ready, and stops when it is not. */
export function health({ response, url }: Exchange): void {
  const name = url.pathname.slice(1);
  if (url.searchParams.has('verbose')) sendText(response, 200, `[+]ping ok\n${name} check passed\n`);
  else sendText(response, 200, 'ok');
}
