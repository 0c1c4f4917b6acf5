import childProcess from 'node:child_process';
import fs, { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import http from 'node:http';
import { syncBuiltinESMExports } from 'node:module';

/*
 * Loaded into an agent before it starts (`--import`): counts what it does to the world outside it, and at one of these steps
 * sends a signal, to itself or to its engine. The real processes, engine and files are all there; only the moment is chosen.
 */

/** What is to be done, in the file that FAULT_PLAN names; without that file steps are not counted. */
export interface FaultPlan {
  /** Another one for each plan: steps are counted from 1. */
  readonly id: number;
  readonly step: number;
  readonly signal: NodeJS.Signals;
  /** Only steps that match it are counted. */
  readonly only?: string;
  /** The agent itself, if there is none. */
  readonly pid?: number;
}

const { FAULT_PLAN = '', FAULT_STEPS = '' } = process.env;

let count = 0;
let id: number | undefined;

function step(name: string): void {
  const plan = readPlan();
  if (!plan || (plan.only && !new RegExp(plan.only).test(name))) return;
  if (plan.id !== id) count = 0;
  id = plan.id;
  count += 1;
  const file = openSync(FAULT_STEPS, 'a');
  writeSync(file, `${count} ${name}\n`);
  closeSync(file);
  if (count === plan.step) process.kill(plan.pid ?? process.pid, plan.signal);
}

function readPlan(): FaultPlan | undefined {
  try {
    return JSON.parse(readFileSync(FAULT_PLAN, 'utf8')) as FaultPlan;
  } catch {
    return undefined; // none, or one that is being written
  }
}

type Action = (...args: unknown[]) => unknown;

/** Each call of these is a step, which comes before it. */
function countCalls(
  holder: object,
  names: readonly string[],
  describe: (args: readonly unknown[]) => string,
): void {
  const functions = holder as Record<string, Action>;
  for (const name of names) {
    const original = functions[name];
    if (!original) continue;
    functions[name] = function (this: unknown, ...args: unknown[]) {
      step(`${name} ${describe(args)}`);
      return Reflect.apply(original, this, args);
    };
  }
}

const CHANGES = [
  'mkdir',
  'writeFile',
  'rename',
  'symlink',
  'unlink',
  'rm',
  'rmdir',
  'chmod',
  'chown',
  'lchown',
];
const first = ([path]: readonly unknown[]) => String(path);
countCalls(fs.promises, CHANGES, first);
countCalls(
  fs,
  CHANGES.map((name) => `${name}Sync`),
  first,
);
countCalls(childProcess.ChildProcess.prototype, ['spawn'], ([options]) =>
  (options as { args: readonly string[] }).args.join(' '),
);

/** Before the engine is asked for a change, and when it knows of it but has not answered. */
const request = http.request;
http.request = ((...args: Parameters<typeof request>) => {
  const { method = 'GET', path = '' } = args[0] as http.RequestOptions;
  if (method === 'GET') return request(...args);
  const what = `${method} ${path?.replace(/\?.*/, '')}`;
  step(what);
  return request(...args).once('finish', () => setImmediate(() => step(`sent ${what}`)));
}) as typeof request;

syncBuiltinESMExports();
