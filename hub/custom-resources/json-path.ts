import { ownValue } from '../resources/object.ts';
import { isJsonObject } from '../schema/json-type.ts';

/** One step from a set of values to the next. */
type Step =
  | { readonly type: 'field'; readonly name: string }
  | { readonly type: 'index'; readonly index: number }
  | { readonly type: 'all' }
  | {
      readonly type: 'filter';
      readonly field: readonly string[];
      readonly operator: Operator;
      readonly value: unknown;
    };

type Operator = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'exists';

/** `.spec.list[?(@.type=="Ready")].status`, read. */
export type JsonPath = readonly Step[];

const FIELD = /^\.?((?:[^.[\]\\*?@$(){}'"\s]|\\.)+)/;
const QUOTED = /^\[(['"])((?:(?!\1)[^\\]|\\.)*)\1\]/;
const INDEX = /^\[(-?\d{1,9})\]/;
const ALL = /^(?:\[\*\]|\.\*)/;
const FILTER =
  /^\[\?\(\s*@((?:\.(?:[^.[\]\\()=!<>\s]|\\.)+)+)\s*(?:(==|!=|<=|>=|<|>)\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|-?\d+(?:\.\d+)?|true|false))?\s*\)\]/;
const MAX_LENGTH = 4096;

/** Reads a path as printer columns have them; undefined for what is none. Braces around it are as good as none. */
export function parseJsonPath(text: string): JsonPath | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const steps: Step[] = [];
  let rest = text
    .trim()
    .replace(/^\{(.*)\}$/, '$1')
    .replace(/^\$/, '');
  if (rest === '.') return steps;
  while (rest !== '') {
    const [step, length] = nextStep(rest) ?? [];
    if (!step || !length) return undefined;
    steps.push(step);
    rest = rest.slice(length);
  }
  return steps.length > 0 ? steps : undefined;
}

function nextStep(text: string): [Step, number] | undefined {
  const filter = FILTER.exec(text);
  if (filter) {
    const [whole, field = '', operator = 'exists', value = 'null'] = filter;
    const names = field
      .slice(1)
      .split(/(?<!\\)\./)
      .map(unescaped);
    return [
      { type: 'filter', field: names, operator: operator as Operator, value: literal(value) },
      whole.length,
    ];
  }
  const all = ALL.exec(text);
  if (all) return [{ type: 'all' }, all[0].length];
  const index = INDEX.exec(text);
  if (index) return [{ type: 'index', index: Number(index[1]) }, index[0].length];
  const quoted = QUOTED.exec(text);
  if (quoted) return [{ type: 'field', name: unescaped(quoted[2] ?? '') }, quoted[0].length];
  const field = FIELD.exec(text);
  return field ? [{ type: 'field', name: unescaped(field[1] ?? '') }, field[0].length] : undefined;
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, '$1');
}

function literal(text: string): unknown {
  if (text.startsWith("'") || text.startsWith('"')) return unescaped(text.slice(1, -1));
  return JSON.parse(text);
}

/** All that the path leads to; nothing where a field is missing. */
export function findAll(path: JsonPath, value: unknown): unknown[] {
  return path.reduce<unknown[]>((found, step) => found.flatMap((each) => next(step, each)), [value]);
}

function next(step: Step, value: unknown): unknown[] {
  if (step.type === 'field') return present(isJsonObject(value) ? ownValue(value, step.name) : undefined);
  if (step.type === 'index') return present(Array.isArray(value) ? value.at(step.index) : undefined);
  const items = Array.isArray(value) ? value : isJsonObject(value) ? Object.values(value) : [];
  if (step.type === 'all') return items;
  return items.filter((item) =>
    holds(
      step,
      findAll(
        step.field.map((name) => ({ type: 'field', name })),
        item,
      )[0],
    ),
  );
}

function present(value: unknown): unknown[] {
  return value === undefined ? [] : [value];
}

function holds({ operator, value }: Extract<Step, { type: 'filter' }>, found: unknown): boolean {
  if (operator === 'exists') return found !== undefined;
  if (found === undefined || typeof found !== typeof value) return false;
  if (operator === '==') return found === value;
  if (operator === '!=') return found !== value;
  const [a, b] = [found as number, value as number];
  if (operator === '<') return a < b;
  if (operator === '<=') return a <= b;
  return operator === '>' ? a > b : a >= b;
}

/** The names of a path that is nothing but fields: `.spec.replicas`; undefined for any other. */
export function fieldsOfPath(text: string): readonly string[] | undefined {
  if (!text.startsWith('.')) return undefined;
  const names = parseJsonPath(text)?.map((step) => (step.type === 'field' ? step.name : undefined));
  return names?.every((name) => name !== undefined) ? names : undefined;
}
