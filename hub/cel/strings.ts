import type { Environment } from '@marcbachmann/cel-js';
import { patternOf } from '../schema/pattern.ts';

const MOST_RESULTS = 100_000;

/** The extended strings library, and regular expressions in Go's syntax. */
export function registerStrings(environment: Environment): void {
  environment.registerFunction('string.matchesPattern(string): bool', (text: string, pattern: string) =>
    patternOf(pattern).test(text),
  );
  environment.registerFunction('string.charAt(int): string', (text: string, index: bigint) => {
    const characters = [...text];
    const at = Number(index);
    if (at < 0 || at > characters.length) throw new Error(`index out of range: ${index}`);
    return characters[at] ?? '';
  });
  environment.registerFunction(
    'string.replace(string, string): string',
    (text: string, old: string, by: string) => text.replaceAll(old, () => by),
  );
  environment.registerFunction(
    'string.replace(string, string, int): string',
    (text: string, old: string, by: string, count: bigint) => replaced(text, old, by, Number(count)),
  );
  environment.registerFunction('string.reverse(): string', (text: string) => [...text].reverse().join(''));
  environment.registerFunction(
    'string.find(string): string',
    (text: string, pattern: string) => patternOf(pattern).findAll(text, 1)[0] ?? '',
  );
  environment.registerFunction('string.findAll(string): list<string>', (text: string, pattern: string) =>
    patternOf(pattern).findAll(text, MOST_RESULTS),
  );
  environment.registerFunction(
    'string.findAll(string, int): list<string>',
    (text: string, pattern: string, count: bigint) =>
      patternOf(pattern).findAll(text, count < 0n ? MOST_RESULTS : Number(count)),
  );
  environment.registerFunction(
    'string.format(list): string',
    (template: string, values: readonly unknown[]) => formatted(template, values),
  );
}

function replaced(text: string, old: string, by: string, count: number): string {
  if (count < 0) return text.replaceAll(old, () => by);
  const parts = text.split(old);
  const head = parts.slice(0, count + 1).join(by);
  return parts.length > count + 1 ? [head, ...parts.slice(count + 1)].join(old) : head;
}

/** `%s %d %f %e %b %o %x %X %%`, with a precision for the floating ones. */
function formatted(template: string, values: readonly unknown[]): string {
  let next = 0;
  const text = template.replace(/%(?:\.(\d{1,2}))?(.)/g, (_, digits: string | undefined, verb: string) => {
    if (verb === '%') return '%';
    if (next >= values.length) throw new Error(`index ${next} out of range`);
    return formatValue(verb, values[next++], digits === undefined ? 6 : Number(digits));
  });
  return text;
}

function formatValue(verb: string, value: unknown, digits: number): string {
  const isNumber = typeof value === 'bigint' || typeof value === 'number';
  if (verb === 's') return textOf(value);
  if (verb === 'x' && typeof value === 'string') return Buffer.from(value).toString('hex');
  if (verb === 'X' && typeof value === 'string') return Buffer.from(value).toString('hex').toUpperCase();
  if (verb === 'b' && typeof value === 'boolean') return value ? '1' : '0';
  if (!isNumber) throw new Error(`could not convert argument to number in "%${verb}"`);
  switch (verb) {
    case 'd':
      return String(value);
    case 'f':
      return Number(value).toFixed(digits);
    case 'e':
      return Number(value)
        .toExponential(digits)
        .replace(/e([+-])(\d)$/, 'e$10$2');
    case 'b':
      return value.toString(2);
    case 'o':
      return value.toString(8);
    case 'x':
      return value.toString(16);
    case 'X':
      return value.toString(16).toUpperCase();
    default:
      throw new Error(`unrecognized formatting clause "${verb}"`);
  }
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(textOf).join(', ')}]`;
  if (value instanceof Date) return value.toISOString().replace('.000Z', 'Z');
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    const entries = Object.entries(value).map(([key, each]) => `${key}: ${textOf(each)}`);
    return `{${entries.sort().join(', ')}}`;
  }
  return String(value);
}
