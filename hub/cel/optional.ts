import { Optional } from '@marcbachmann/cel-js';

/** A value that may be missing, as the language has it. */
export function optionalOf(value: unknown): unknown {
  return value === undefined ? Optional.none() : Optional.of(value);
}
