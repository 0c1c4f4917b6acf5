import { createContext, Script } from 'node:vm';
import { ApiError } from '../resources/api-error.ts';

/** Far more than any real object takes. */
const LIMIT_MS = 1_000;

const sandbox: { run?: () => unknown } = createContext({});
const call = new Script('run()');
let isInside = false;

/**
 * Runs what an author of a definition or a policy has a say in. The engine ends it when it takes too long, wherever it is;
 * schemas and rules are written by users, and all others wait while they are evaluated. Throws 422 then, which names
 * `whose` rules it were. Nested calls share a limit.
 */
export function withinTime<T>(
  run: () => T,
  limitMs = LIMIT_MS,
  whose = 'of its CustomResourceDefinition',
): T {
  if (isInside) return run();
  isInside = true;
  sandbox.run = run;
  try {
    return call.runInContext(sandbox, { timeout: limitMs }) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    throw new ApiError(
      422,
      'Invalid',
      `the rules ${whose} took more than ${limitMs} ms to evaluate and were ended`,
    );
  } finally {
    isInside = false;
    delete sandbox.run;
  }
}
