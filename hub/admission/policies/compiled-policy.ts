import { AUTHORIZER_TYPE } from '../../cel/authorizer.ts';
import { Compiler, type Expression } from '../../cel/expression.ts';
import type { FieldError } from '../../resources/api-error.ts';
import { invalidValue } from '../../resources/field-errors.ts';
import type { AdmissionPolicyObject } from '../../resources/typed.ts';

const VARIABLES = {
  object: 'dyn',
  oldObject: 'dyn',
  request: 'dyn',
  params: 'dyn',
  namespaceObject: 'dyn',
  variables: 'dyn',
  authorizer: AUTHORIZER_TYPE,
} as const;

/** Makes what `variables.x` is, when it is first asked for. */
export interface NamedExpression {
  readonly name: string;
  readonly expression: Expression;
}

export interface CompiledValidation {
  readonly text: string;
  readonly expression: Expression;
  readonly message: string | undefined;
  readonly messageExpression: Expression | undefined;
  readonly reason: string;
}

export interface CompiledPolicy {
  readonly matchConditions: readonly NamedExpression[];
  readonly variables: readonly NamedExpression[];
  readonly validations: readonly CompiledValidation[];
}

/** Reads a policy's expressions. What can not be read is told, with its field; the policy is then of no use. */
export function compilePolicy({ spec }: AdmissionPolicyObject): {
  policy: CompiledPolicy | undefined;
  errors: readonly FieldError[];
} {
  const compiler = new Compiler({ variables: VARIABLES });
  const errors: FieldError[] = [];
  const read = (text: string, field: string, wanted: string): Expression | undefined => {
    try {
      const expression = compiler.compile(text);
      if (wanted === ANY_TYPE || expression.type === wanted || expression.type === 'dyn') return expression;
      errors.push(invalidValue(field, text, `must evaluate to ${wanted}, not to ${expression.type}`));
    } catch (error) {
      errors.push(invalidValue(field, text, `compilation failed: ${(error as Error).message}`));
    }
    return undefined;
  };
  const named = (items: typeof spec.variables, field: string, wanted: string): NamedExpression[] =>
    (items ?? []).flatMap(({ name, expression: text }, index) => {
      const expression = read(text, `spec.${field}[${index}].expression`, wanted);
      return expression ? [{ name, expression }] : [];
    });
  const policy: CompiledPolicy = {
    matchConditions: named(spec.matchConditions, 'matchConditions', 'bool'),
    variables: named(spec.variables, 'variables', ANY_TYPE),
    validations: (spec.validations ?? []).flatMap((validation, index) => {
      const field = `spec.validations[${index}]`;
      const { expression: text, message, messageExpression, reason = 'Invalid' } = validation;
      const expression = read(text, `${field}.expression`, 'bool');
      const telling = messageExpression
        ? read(messageExpression, `${field}.messageExpression`, 'string')
        : undefined;
      return expression ? [{ text, expression, message, messageExpression: telling, reason }] : [];
    }),
  };
  return { policy: errors.length === 0 ? policy : undefined, errors };
}

const ANY_TYPE = 'any';
