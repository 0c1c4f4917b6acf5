import type { CompiledPolicy, CompiledValidation, NamedExpression } from './compiled-policy.ts';

/** What expressions may name, as values of CEL. */
export type Values = Readonly<Record<string, unknown>>;

export interface PolicyFailure {
  readonly message: string;
  /** Of the Status: Invalid, Forbidden … */
  readonly reason: string;
  /** The expression could not be evaluated: what follows is for the policy to say. */
  readonly isError: boolean;
}

/** What a write does against a policy; none when the policy's conditions leave it out. Pure. */
export function evaluatePolicy(policy: CompiledPolicy, given: Values): PolicyFailure[] {
  const values = { ...given, variables: lazily(policy.variables, given) };
  for (const { name, expression } of policy.matchConditions) {
    const holds = outcomeOf(() => expression.evaluate(values));
    if (holds.error) return [errorOf(`expression of matchCondition '${name}'`, holds.error)];
    if (holds.value !== true) return [];
  }
  return policy.validations.flatMap((validation) => validate(validation, values));
}

function validate(validation: CompiledValidation, values: Values): PolicyFailure[] {
  const { text, expression, message, messageExpression, reason } = validation;
  const { value, error } = outcomeOf(() => expression.evaluate(values));
  if (error) return [errorOf(`expression '${text}'`, error)];
  if (value === true) return [];
  const told = messageExpression && outcomeOf(() => messageExpression.evaluate(values)).value;
  const fitting =
    typeof told === 'string' && told.trim() !== '' && !told.includes('\n') ? told.trim() : undefined;
  return [{ message: fitting ?? message?.trim() ?? `failed expression: ${text}`, reason, isError: false }];
}

function errorOf(what: string, error: Error): PolicyFailure {
  const message = `${what} resulted in error: ${error.message.split('\n')[0]}`;
  return { message, reason: 'Invalid', isError: true };
}

function outcomeOf(evaluate: () => unknown): { value?: unknown; error?: Error } {
  try {
    return { value: evaluate() };
  } catch (error) {
    return { error: error as Error };
  }
}

/** Each variable is made when it is first asked for, and sees those before it. */
function lazily(variables: readonly NamedExpression[], given: Values): object {
  const made: Record<string, unknown> = {};
  for (const { name, expression } of variables) {
    let value: { known: unknown } | undefined;
    Object.defineProperty(made, name, {
      enumerable: true,
      get: () => {
        value ??= { known: expression.evaluate({ ...given, variables: made }) };
        return value.known;
      },
    });
  }
  return made;
}
