import { Compiler, type DeclaredType, type Expression } from '../cel/expression.ts';
import { withinTime } from '../cel/time-limit.ts';

/*
 * What the conditions of gates may name.
 */

/** Where conditions are evaluated: throws when all that `run` does takes longer than conditions may. */
export function evaluating<T>(run: () => T): T {
  return withinTime(run, undefined, 'of the gate');
}

/** Instances of it are what CEL calls `ContainerMetrics`. */
export class ContainerMetrics {
  /** Cores. */
  readonly cpu: number;
  /** Bytes. */
  readonly memory: bigint;

  constructor(cpu: number, memory: bigint) {
    this.cpu = cpu;
    this.memory = memory;
  }
}

/** Of a pod: the sums over its containers, and each of them. */
export class PodMetrics extends ContainerMetrics {
  readonly containers: Readonly<Record<string, ContainerMetrics>>;

  constructor(cpu: number, memory: bigint, containers: Readonly<Record<string, ContainerMetrics>>) {
    super(cpu, memory);
    this.containers = containers;
  }
}

export class PodFacts {
  readonly name: string;
  readonly namespace: string;
  readonly node: string;
  readonly phase: string;
  readonly ready: boolean;

  constructor(facts: { name: string; namespace: string; node: string; phase: string; ready: boolean }) {
    this.name = facts.name;
    this.namespace = facts.namespace;
    this.node = facts.node;
    this.phase = facts.phase;
    this.ready = facts.ready;
  }
}

/** What a query found: one series at one time. */
export class Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;

  constructor(labels: Readonly<Record<string, string>>, value: number) {
    this.labels = labels;
    this.value = value;
  }
}

const USED = { cpu: 'double', memory: 'int' };
const TYPES: readonly DeclaredType[] = [
  { name: 'ContainerMetrics', ctor: ContainerMetrics as new () => object, fields: USED },
  {
    name: 'PodMetrics',
    ctor: PodMetrics as unknown as new () => object,
    fields: { ...USED, containers: 'map<string, ContainerMetrics>' },
  },
  {
    name: 'PodFacts',
    ctor: PodFacts as unknown as new () => object,
    fields: { name: 'string', namespace: 'string', node: 'string', phase: 'string', ready: 'bool' },
  },
];

let ofDevices: Compiler | undefined;
let ofSamples: Compiler | undefined;

/** A condition on one device. Throws an Error that says what is wrong with it. */
export function deviceExpression(text: string): Expression {
  ofDevices ??= new Compiler({
    types: TYPES,
    variables: {
      pod: 'PodFacts',
      metrics: 'PodMetrics',
      restarts: 'int',
      exitCodes: 'list<int>',
      reasons: 'list<string>',
    },
  });
  return condition(ofDevices, text);
}

/** A condition on what a query found. Throws an Error that says what is wrong with it. */
export function samplesExpression(text: string): Expression {
  ofSamples ??= new Compiler({
    types: [
      {
        name: 'Sample',
        ctor: Sample as unknown as new () => object,
        fields: { labels: 'map<string, string>', value: 'double' },
      },
    ],
    variables: { result: 'list<Sample>' },
  });
  return condition(ofSamples, text);
}

function condition(compiler: Compiler, text: string): Expression {
  const expression = compiler.compile(text);
  if (expression.type !== 'bool')
    throw new Error(`it must be a condition, true or false, and is of type ${expression.type}`);
  return expression;
}
