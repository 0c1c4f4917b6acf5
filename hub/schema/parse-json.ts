import { badRequest } from '../resources/api-error.ts';

/**
 * How deep a body may nest. Go allows ten times as much, but `JSON.stringify` overflows the stack from about 5,000
 * and `structuredClone` from about 3,000; no real object comes near it.
 */
export const MAX_DEPTH = 1000;

/** What is told of one body. */
const MAX_DUPLICATES = 100;

export interface ParsedJson {
  readonly value: unknown;
  /** `duplicate field "spec.replicas"`: for a warning or, when the client asked for strictness, an error. */
  readonly duplicates: string[];
}

/** One object or array that the scan is inside of. */
interface Level {
  /** Keys seen so far; `undefined` in an array. */
  readonly keys: Set<string> | undefined;
  /** Path of this level, without what it is inside of: `.spec`, `[3]`. */
  readonly step: string;
  /** The last key that was read. */
  key: string;
  /** How many items of an array came before. */
  index: number;
}

function pathOf(levels: readonly Level[], key: string): string {
  const steps = levels.map(({ step }) => step).join('');
  return `${steps}.${key}`.replace(/^\./, '');
}

function stepInto(parent: Level | undefined): string {
  if (!parent) return '';
  return parent.keys ? `.${parent.key}` : `[${parent.index}]`;
}

/** The index after the string literal that starts at `from`. */
function endOfString(text: string, from: number): number {
  let at = from + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

/** Walks over text that is known to be JSON; `JSON.parse` does not tell how often a key came. */
function scan(text: string): string[] {
  const duplicates: string[] = [];
  const levels: Level[] = [];
  let expectsKey = false;
  for (let at = 0; at < text.length; at++) {
    const level = levels.at(-1);
    switch (text[at]) {
      case '{':
      case '[': {
        const isObject = text[at] === '{';
        levels.push({ keys: isObject ? new Set() : undefined, step: stepInto(level), key: '', index: 0 });
        if (levels.length > MAX_DEPTH) throw badRequest('json: exceeded max depth');
        expectsKey = isObject;
        break;
      }
      case '}':
      case ']':
        levels.pop();
        break;
      case ',':
        if (level) level.index++;
        expectsKey = level?.keys !== undefined;
        break;
      case '"': {
        const end = endOfString(text, at);
        if (expectsKey && level) {
          enterKey(level, JSON.parse(text.slice(at, end)) as string, levels, duplicates);
          expectsKey = false;
        }
        at = end - 1;
        break;
      }
      default: // numbers, words, colons and space say nothing about keys
    }
  }
  return duplicates;
}

function enterKey(level: Level, key: string, levels: readonly Level[], duplicates: string[]): void {
  if (key === '__proto__') throw badRequest(`the key "${key}" is not allowed`);
  if (level.keys?.has(key) && duplicates.length < MAX_DUPLICATES)
    duplicates.push(`duplicate field "${pathOf(levels, key)}"`);
  level.keys?.add(key);
  level.key = key;
}

/** Parses a request's body. Throws 400 for text that is not JSON, that nests too deeply, or that names `__proto__`. */
export function parseJson(text: string): ParsedJson {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw badRequest(`couldn't parse the body as JSON: ${error instanceof Error ? error.message : error}`);
  }
  return { value, duplicates: scan(text) };
}

/** The same limits for a value that was read from another notation (YAML, protobuf). Throws 400. */
export function checkParsed(value: unknown): void {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) throw badRequest('json: exceeded max depth');
    level = level.flatMap((item) => {
      if (typeof item !== 'object' || item === null) return [];
      if (Object.hasOwn(item, '__proto__')) throw badRequest('the key "__proto__" is not allowed');
      return Object.values(item);
    });
  }
}
