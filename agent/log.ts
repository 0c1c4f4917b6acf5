import { destination, type Logger, pino } from 'pino';

export type { Logger };

/** All that this process logs with. Parts get theirs once, at the start: a few. */
const made: Logger[] = [];

/** JSON lines on stdout, written at once: an agent that is killed has said what it did. */
export function createLog(level: string, node: string | undefined): Logger {
  const base = { ...(node !== undefined && { node }) };
  const log = pino(
    { level, base, redact: ['token', '*.token'], onChild: (child) => made.push(child) },
    destination({ dest: 1, sync: true }),
  );
  made.push(log);
  return log;
}

/** From now on, for all parts. */
export function setLogLevel(level: string): void {
  for (const log of made) log.level = level;
}
