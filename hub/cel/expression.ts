import { Environment } from '@marcbachmann/cel-js';
import { registerAddresses } from './addresses.ts';
import { registerAuthorizer } from './authorizer.ts';
import { registerComprehensions } from './comprehensions.ts';
import { isEqual } from './equality.ts';
import { registerFormats } from './formats.ts';
import { registerLists } from './lists.ts';
import { registerQuantities } from './quantities.ts';
import { registerStrings } from './strings.ts';
import { registerUrls } from './urls.ts';

/** A variable's type in CEL's words: `int`, `list<string>`, `dyn`, or the name of a declared type. */
export type TypeName = string;

/** An object type: values of it are instances of `ctor`. */
export interface DeclaredType {
  readonly name: TypeName;
  readonly ctor: new () => object;
  readonly fields: Readonly<Record<string, TypeName>>;
}

/** What expressions may name. */
export interface Declarations {
  readonly types?: readonly DeclaredType[];
  readonly variables: Readonly<Record<string, TypeName>>;
}

/** An expression that was read and checked. */
export interface Expression {
  /** The type of what it evaluates to. */
  readonly type: TypeName;
  /** Whether it names the variable. */
  uses(variable: string): boolean;
  /** Throws an Error that says why there is no value. The caller bounds the time: see `withinTime`. */
  evaluate(variables: Readonly<Record<string, unknown>>): unknown;
}

/** Far more than people write; so that reading one is quick, whoever wrote it. */
const LIMITS = {
  maxAstNodes: 20_000,
  maxDepth: 100,
  maxListElements: 5_000,
  maxMapEntries: 5_000,
  maxCallArguments: 32,
};
const MAX_LENGTH = 32 * 1024;

let base: Environment | undefined;

/** CEL as Kubernetes has it: the language's own functions and Kubernetes' libraries. */
function baseEnvironment(): Environment {
  if (base) return base;
  const made = new Environment({
    enableOptionalTypes: true,
    homogeneousAggregateLiterals: false,
    limits: LIMITS,
  });
  for (const register of [
    registerStrings,
    registerLists,
    registerUrls,
    registerAddresses,
    registerQuantities,
    registerFormats,
    registerAuthorizer,
    registerComprehensions,
  ])
    register(made);
  base = made;
  return made;
}

/** Compiles expressions that share their declarations. */
export class Compiler {
  readonly #environment: Environment;

  constructor({ types = [], variables }: Declarations) {
    const environment = baseEnvironment().clone();
    for (const { name, ctor, fields } of types)
      environment.registerType(name, { ctor, fields: { ...fields } });
    for (const { name } of types) environment.registerOperator(`${name} == ${name}`, isEqual); // and with it `!=`
    for (const [name, type] of Object.entries(variables)) environment.registerVariable(name, type);
    this.#environment = environment;
  }

  /** Throws an Error in the words of the language for what can not be read or is not of one type. */
  compile(text: string): Expression {
    if (text.length > MAX_LENGTH) throw new Error(`an expression may have ${MAX_LENGTH} characters`);
    const parsed = this.#environment.parse(withOurs(text));
    const { valid, type = 'dyn', error } = parsed.check();
    if (!valid) throw new Error(error?.message.split('\n')[0] ?? 'the expression is not valid');
    const names = namesIn(parsed.ast);
    return {
      type,
      uses: (variable) => names.has(variable),
      evaluate: (variables) => {
        const value: unknown = parsed({ ...variables });
        return value;
      },
    };
  }
}

const LITERAL_OR_MATCHES =
  /("""[\s\S]*?"""|'''[\s\S]*?'''|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|\.(\s*)matches(?=\s*\()/g;

/** The language's own `matches` would read patterns as JavaScript does, which are others and may take for ever. */
function withOurs(text: string): string {
  return text.replace(LITERAL_OR_MATCHES, (_, literal: string | undefined, space: string | undefined) =>
    literal === undefined ? `.${space ?? ''}matchesPattern` : literal,
  );
}

/** All identifiers of an expression. */
function namesIn(root: unknown): Set<string> {
  const names = new Set<string>();
  const waiting = [root];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (Array.isArray(node)) waiting.push(...node);
    else if (typeof node === 'object' && node !== null && 'op' in node && 'args' in node) {
      if (node.op === 'id' && typeof node.args === 'string') names.add(node.args);
      else waiting.push(node.args);
    }
  }
  return names;
}
