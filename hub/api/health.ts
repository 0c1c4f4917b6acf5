import { unknownPath } from '../resources/api-error.ts';
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

/** Parts of the hub by name, and whether each works. Must not wait. */
export type HealthChecks = Readonly<Record<string, () => boolean>>;

/** Who gets an answer at all is reached: the hub listens only once it is ready. */
const PING: HealthChecks = { ping: () => true };

/**
 * `/healthz`, `/livez` and `/readyz`: `ok` or 500; with `?verbose`, or when something is wrong, each check on a line of
 * its own; `?exclude=` leaves checks out; below them, `/readyz/ping`, single checks. A hub that cannot write is not ready,
 * but alive: a restart would not mend its disk.
 */
export function health(
  { response, url, context }: Exchange,
  [name = '', only, ...rest]: readonly string[],
): void {
  const checks = { ...PING, ...(name !== 'livez' && context.health) };
  if (rest.length > 0 || (only !== undefined && !(only in checks))) throw unknownPath();
  const excluded = url.searchParams.getAll('exclude');
  const asked = Object.entries(checks).filter(([each]) => (only ? each === only : !excluded.includes(each)));
  const lines = asked.map(([each, check]) => ({ each, isWell: check() }));
  const isWell = lines.every((line) => line.isWell);
  if (isWell && (only !== undefined || !url.searchParams.has('verbose'))) {
    sendText(response, 200, 'ok');
    return;
  }
  const text = lines.map(({ each, isWell: well }) =>
    well ? `[+]${each} ok` : `[-]${each} failed: reason withheld`,
  );
  const left = excluded.filter((each) => each in checks).map((each) => `[+]${each} excluded: ok`);
  const verdict = `${name} check ${isWell ? 'passed' : 'failed'}`;
  sendText(response, isWell ? 200 : 500, `${[...text, ...left, verdict].join('\n')}\n`);
}
