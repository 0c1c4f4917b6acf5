import type { FieldError } from '../resources/api-error.ts';
import { invalidValue, required } from '../resources/field-errors.ts';
import { durationMs } from './duration.ts';
import { choice, count, duration, list, struct, text } from './fleet-kind.ts';

/** What a device tries on the new pod by itself before it accepts it. */
export interface HealthCheck {
  /** The first one when absent. */
  readonly container?: string;
  readonly exec?: { readonly command: readonly string[] };
  readonly httpGet?: {
    readonly port: number | string;
    readonly path: string;
    readonly scheme: 'HTTP' | 'HTTPS';
    readonly headers?: readonly { readonly name: string; readonly value: string }[];
  };
  readonly period: string;
  readonly timeout: string;
  readonly failureThreshold: number;
}

export const HEALTH_CHECK = struct(
  'A command or a request that the device tries on the new pod, once that is ready and until the device has decided, connected or not. It does not accept the pod before the check has held for minHealthy, and rejects it when the check fails too often.',
  {
    container: text('The container that is checked; the first one when absent.', { maxLength: 63 }),
    exec: struct(
      'Holds when the command ends with exit code 0 in the container.',
      {
        command: list(
          'The command and its arguments; no shell.',
          { type: 'string', maxLength: 4096 },
          { minItems: 1, maxItems: 64 },
        ),
      },
      { required: ['command'] },
    ),
    httpGet: struct(
      'Holds when the container answers with a status from 200 to 399.',
      {
        port: {
          'x-kubernetes-int-or-string': true,
          anyOf: [{ type: 'integer' }, { type: 'string' }],
          description: 'A number, or the name of a port of the container.',
        },
        path: text('What is asked for.', { default: '/', maxLength: 2048 }),
        scheme: choice('HTTPS certificates are not verified, as with probes.', ['HTTP', 'HTTPS'], {
          default: 'HTTP',
        }),
        headers: list(
          'More headers of the request.',
          struct(
            'One header.',
            {
              name: text('Its name.', { pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", maxLength: 256 }),
              value: text('Its value.', { pattern: '^[\\x20-\\x7e\\t]*$', maxLength: 4096 }),
            },
            { required: ['name', 'value'] },
          ),
          { maxItems: 16 },
        ),
      },
      { required: ['port'] },
    ),
    period: duration('How long from one try to the next, at least a second.', '10s'),
    timeout: duration('How long one try may take.', '1s'),
    failureThreshold: count('After so many failures in a row the device rejects the pod.', {
      minimum: 1,
      maximum: 1000,
      default: 3,
    }),
  },
);

const LEAST_PERIOD_MS = 1000;
const MOST_PORT = 65_535;

export function healthCheckErrors(check: HealthCheck, field: string): FieldError[] {
  const { exec, httpGet, period, timeout } = check;
  return [
    ...(exec || httpGet ? [] : [required(field, 'must have one of exec and httpGet')]),
    ...(exec && httpGet
      ? [invalidValue(`${field}.httpGet`, httpGet.port, 'there is exec already: a check is one of both')]
      : []),
    ...(httpGet ? portErrors(httpGet.port, `${field}.httpGet.port`) : []),
    ...(httpGet && !httpGet.path.startsWith('/')
      ? [invalidValue(`${field}.httpGet.path`, httpGet.path, 'must begin with /')]
      : []),
    ...(durationMs(period) < LEAST_PERIOD_MS
      ? [invalidValue(`${field}.period`, period, 'must be at least 1s')]
      : []),
    ...(durationMs(timeout) > 0 ? [] : [invalidValue(`${field}.timeout`, timeout, 'must be greater than 0')]),
  ];
}

function portErrors(port: number | string, field: string): FieldError[] {
  const isGood =
    typeof port === 'number'
      ? port >= 1 && port <= MOST_PORT
      : /^(?=.*[a-z])[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$/.test(port);
  return isGood ? [] : [invalidValue(field, port, `must be from 1 to ${MOST_PORT}, or the name of a port`)];
}
