import { destination, type Logger, pino } from 'pino';

export type { Logger };

/** JSON lines on stdout, written at once: a hub that is killed has said what it did. */
export function createLog(level: string): Logger {
  return pino({ level, base: {}, redact: ['token', '*.token'] }, destination({ dest: 1, sync: true }));
}
