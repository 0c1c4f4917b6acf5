import { Environment } from '@marcbachmann/cel-js';

const reader = new Environment().registerVariable('text', 'string').parse('duration(text)');

/** `1h30m` as the language has it; undefined for what is none. */
export function durationOf(text: string): unknown {
  try {
    const duration: unknown = reader({ text });
    return duration;
  } catch {
    return undefined;
  }
}
