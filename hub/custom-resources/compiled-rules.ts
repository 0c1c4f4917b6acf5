import { Compiler, type Expression } from '../cel/expression.ts';
import { CelTypes } from './cel-types.ts';
import type { JsonSchema, ValidationRule } from './json-schema.ts';

/** A rule that is ready to be asked. */
export interface CompiledRule {
  readonly rule: ValidationRule;
  readonly expression: Expression;
  readonly message: Expression | undefined;
  /** Whether it speaks of what the value was before. */
  readonly isTransition: boolean;
}

/** The rules of one place in a schema, and how to show them values. */
export interface RuleSet {
  readonly types: CelTypes;
  readonly rules: readonly CompiledRule[];
  /** By the index of the rule: why it can not be compiled. */
  readonly errors: ReadonlyMap<number, RuleError>;
}

export interface RuleError {
  readonly field: 'rule' | 'messageExpression';
  readonly message: string;
}

const compiled = new WeakMap<JsonSchema, RuleSet>();

/** The rules that stand at a schema; compiled once. */
export function rulesAt(schema: JsonSchema, isRoot: boolean): RuleSet {
  const known = compiled.get(schema);
  if (known) return known;
  const made = compile(schema, isRoot);
  compiled.set(schema, made);
  return made;
}

function compile(schema: JsonSchema, isRoot: boolean): RuleSet {
  const types = new CelTypes(schema, isRoot);
  const type = types.typeOf(schema);
  const compiler = new Compiler({ types: types.declared, variables: { self: type, oldSelf: type } });
  const optional = () =>
    new Compiler({
      types: types.declared,
      variables: { self: type, oldSelf: `optional<${type}>` },
    });
  const rules: CompiledRule[] = [];
  const errors = new Map<number, RuleError>();
  for (const [index, rule] of (schema['x-kubernetes-validations'] ?? []).entries()) {
    const result = compileRule(rule.optionalOldSelf ? optional() : compiler, rule);
    if ('field' in result) errors.set(index, result);
    else rules.push(result);
  }
  return { types, rules, errors };
}

function compileRule(compiler: Compiler, rule: ValidationRule): CompiledRule | RuleError {
  const expression = attempt(compiler, rule.rule, 'bool');
  if (typeof expression === 'string') return { field: 'rule', message: expression };
  const message = rule.messageExpression ? attempt(compiler, rule.messageExpression, 'string') : undefined;
  if (typeof message === 'string') return { field: 'messageExpression', message };
  return { rule, expression, message, isTransition: expression.uses('oldSelf') };
}

/** The expression, or why it is none of this type. */
function attempt(compiler: Compiler, text: string, type: string): Expression | string {
  try {
    const expression = compiler.compile(text);
    if (expression.type === type || expression.type === 'dyn') return expression;
    return `cel expression must evaluate to a ${type}`;
  } catch (error) {
    return `compilation failed: ERROR: ${error instanceof Error ? error.message : error}`;
  }
}
