import { destination, type Logger, pino } from 'pino';

export type { Logger };

/** JSON lines on stdout, written at once: an agent that is killed has said what it did. */
export function createLog(level: string, node: string | undefined): Logger {
  return pino(
    { level, base: { ...(node !== undefined && { node }) }, redact: ['token', '*.token'] },
    destination({ dest: 1, sync: true }),
  );
}
