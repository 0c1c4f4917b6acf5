import { ApiError } from '../../resources/api-error.ts';

/** The Status that ends `exec` and `attach`: of a command that ended, its exit code. */
export function outcomeOf(exitCode: number | undefined): object {
  if (!exitCode) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: `${exitCode}` }] },
  };
}

/** The Status of a stream that broke off. */
export function failureOf(error: unknown): object {
  if (!(error instanceof ApiError)) throw error;
  return { metadata: {}, status: 'Failure', message: error.message, reason: 'InternalError' };
}
