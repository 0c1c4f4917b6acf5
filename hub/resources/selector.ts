import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import type { Selection } from '../registry/registry.ts';
import { badRequest } from './api-error.ts';
import type { ResourceDefinition } from './definition.ts';
import { labelValueErrors, qualifiedNameErrors } from './names.ts';
import { type KubeObject, ownValue } from './object.ts';

type Labels = Readonly<Record<string, string>>;
type Operator = 'in' | 'notin' | 'exists' | '!' | 'gt' | 'lt';

/** One condition on a label. */
export interface Requirement {
  readonly key: string;
  readonly operator: Operator;
  readonly values: readonly string[];
}

/** One condition on a field. */
export interface FieldCondition {
  readonly field: string;
  readonly equal: boolean;
  readonly value: string;
}

const TOKEN = /\s*(!=|==|[=<>!(),]|[^\s=<>!(),]+)/y;

function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(text); match; match = TOKEN.exec(text)) tokens.push(match[1] ?? '');
  return tokens;
}

function unparsable(text: string, detail: string): Error {
  return badRequest(`unable to parse requirement: ${detail} in label selector ${JSON.stringify(text)}`);
}

const isWord = (token: string | undefined): token is string => !!token && !/^[=<>!(),]/.test(token);

/** `a=b,c!=d,e in (f,g),!h`; throws 400. */
export function parseLabelSelector(text: string): Requirement[] {
  const tokens = tokensOf(text);
  const requirements: Requirement[] = [];
  while (tokens.length > 0) {
    requirements.push(takeRequirement(tokens, text));
    const separator = tokens.shift();
    if (separator === undefined) break;
    if (separator !== ',') throw unparsable(text, `found '${separator}', expected: ',' or end`);
    if (tokens.length === 0) throw unparsable(text, "found '', expected: identifier after ','");
  }
  return requirements;
}

function takeRequirement(tokens: string[], text: string): Requirement {
  if (tokens[0] === '!') {
    tokens.shift();
    return checked({ key: takeWord(tokens, text), operator: '!', values: [] }, text);
  }
  const key = takeWord(tokens, text);
  if (tokens.length === 0 || tokens[0] === ',') return checked({ key, operator: 'exists', values: [] }, text);
  const operator = tokens.shift() ?? '';
  if (operator === 'in' || operator === 'notin')
    return checked({ key, operator, values: takeSet(tokens, text) }, text);
  const value = isWord(tokens[0]) ? (tokens.shift() ?? '') : '';
  if (operator === '=' || operator === '==') return checked({ key, operator: 'in', values: [value] }, text);
  if (operator === '!=') return checked({ key, operator: 'notin', values: [value] }, text);
  if (operator === '>' || operator === '<') return checkedNumber(key, operator, value, text);
  throw unparsable(text, `found '${operator}', expected: in, notin, =, ==, !=, gt, lt`);
}

function takeWord(tokens: string[], text: string): string {
  const token = tokens.shift();
  if (!isWord(token))
    throw unparsable(text, `found '${token ?? ''}', expected: !, identifier, or 'end of string'`);
  return token;
}

function takeSet(tokens: string[], text: string): string[] {
  if (tokens.shift() !== '(') throw unparsable(text, "expected: '('");
  const values: string[] = [];
  for (;;) {
    values.push(isWord(tokens[0]) ? (tokens.shift() ?? '') : '');
    const next = tokens.shift();
    if (next === ')') return values;
    if (next !== ',') throw unparsable(text, `found '${next ?? ''}', expected: ',' or ')'`);
  }
}

function checked(requirement: Requirement, text: string): Requirement {
  const [keyError] = qualifiedNameErrors(requirement.key);
  if (keyError) throw unparsable(text, `key: Invalid value: ${JSON.stringify(requirement.key)}: ${keyError}`);
  for (const value of requirement.values) {
    const [valueError] = labelValueErrors(value);
    if (valueError) throw unparsable(text, `values: Invalid value: ${JSON.stringify(value)}: ${valueError}`);
  }
  return requirement;
}

function checkedNumber(key: string, operator: '>' | '<', value: string, text: string): Requirement {
  if (!/^[+-]?\d+$/.test(value)) throw unparsable(text, `for '>' and '<' the value must be an integer`);
  return checked({ key, operator: operator === '>' ? 'gt' : 'lt', values: [value] }, text);
}

export function matchesRequirements(
  requirements: readonly Requirement[],
  labels: Labels | undefined,
): boolean {
  return requirements.every((requirement) => holds(requirement, ownValue(labels, requirement.key)));
}

function holds({ operator, values }: Requirement, value: string | undefined): boolean {
  switch (operator) {
    case 'exists':
      return value !== undefined;
    case '!':
      return value === undefined;
    case 'in':
      return value !== undefined && values.includes(value);
    case 'notin':
      return value === undefined || !values.includes(value);
    case 'gt':
      return value !== undefined && /^-?\d+$/.test(value) && BigInt(value) > BigInt(values[0] ?? '0');
    case 'lt':
      return value !== undefined && /^-?\d+$/.test(value) && BigInt(value) < BigInt(values[0] ?? '0');
  }
}

const EXPRESSION_OPERATORS: Readonly<Record<string, Operator>> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
};

function requirementsOf(selector: LabelSelector): Requirement[] {
  return [
    ...Object.entries(selector.matchLabels ?? {}).map(
      ([key, value]): Requirement => ({ key, operator: 'in', values: [value] }),
    ),
    ...(selector.matchExpressions ?? []).map(
      ({ key, operator, values = [] }): Requirement => ({
        key,
        operator: ownValue(EXPRESSION_OPERATORS, operator) ?? 'in',
        values,
      }),
    ),
  ];
}

/** A missing selector selects nothing; an empty one everything. */
export function matchesLabelSelector(
  selector: LabelSelector | undefined,
  labels: Labels | undefined,
): boolean {
  return selector !== undefined && matchesRequirements(requirementsOf(selector), labels);
}

/** In the syntax of `labelSelector=`; the shape of it is seen by clients (Scale) and people (tables). */
export function labelSelectorText(selector: LabelSelector | undefined): string {
  const requirements = requirementsOf(selector ?? {});
  const byKey = (left: Requirement, right: Requirement) =>
    left.key < right.key ? -1 : left.key > right.key ? 1 : 0;
  return requirements.sort(byKey).map(requirementText).join(',');
}

function requirementText({ key, operator, values }: Requirement): string {
  if (operator === 'exists') return key;
  if (operator === '!') return `!${key}`;
  if (operator === 'in' && values.length === 1) return `${key}=${values[0]}`;
  return `${key} ${operator} (${[...values].sort().join(',')})`;
}

/** `a=b,c!=d` with `\,`, `\=` and `\\`; throws 400. */
export function parseFieldSelector(text: string): FieldCondition[] {
  return splitUnescaped(text)
    .filter((term) => term !== '')
    .map((term) => {
      const match = /^((?:[^=!\\]|\\.)+)(==|!=|=)((?:[^=\\]|\\.)*)$/.exec(term);
      if (!match)
        throw badRequest(
          `invalid selector: ${JSON.stringify(text)}; can't understand ${JSON.stringify(term)}`,
        );
      const [, field = '', operator, value = ''] = match;
      return { field, equal: operator !== '!=', value: value.replace(/\\([,=\\])/g, '$1') };
    });
}

function splitUnescaped(text: string): string[] {
  return text.match(/(?:[^,\\]|\\.)+/g) ?? [];
}

const METADATA_FIELDS: Readonly<Record<string, (object: KubeObject) => string>> = {
  'metadata.name': ({ metadata }) => metadata.name ?? '',
  'metadata.namespace': ({ metadata }) => metadata.namespace ?? '',
};

function fieldPredicate(definition: ResourceDefinition, { field, equal, value }: FieldCondition) {
  const read = ownValue(METADATA_FIELDS, field) ?? ownValue(definition.fieldSelectors, field);
  if (!read) throw badRequest(`field label not supported: ${field}`);
  return (object: KubeObject) => (read(object) === value) === equal;
}

/** What a list or watch request selects; throws 400 for selectors that cannot be read. */
export function selectionOf(
  definition: ResourceDefinition,
  request: {
    readonly namespace?: string | undefined;
    readonly labelSelector?: string | undefined;
    readonly fieldSelector?: string | undefined;
  },
): Selection {
  const requirements = parseLabelSelector(request.labelSelector ?? '');
  const conditions = parseFieldSelector(request.fieldSelector ?? '');
  const predicates = conditions.map((condition) => fieldPredicate(definition, condition));
  const name = conditions.find(({ field, equal }) => equal && field === 'metadata.name')?.value;
  const isFree = requirements.length === 0 && predicates.length === 0;
  return {
    ...(request.namespace !== undefined && { namespace: request.namespace }),
    ...(name && { name }),
    ...(!isFree && {
      matches: (object: KubeObject) =>
        matchesRequirements(requirements, object.metadata.labels) &&
        predicates.every((holds) => holds(object)),
    }),
  };
}
