import type { Container, LifecycleHandler, Probe } from 'kubernetes-types/core/v1.d.ts';
import type { FieldError } from './api-error.ts';
import { forbiddenField, invalidValue, notSupported, required } from './field-errors.ts';
import { portNameErrors, portNumberErrors } from './names.ts';

const HANDLERS = ['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const;
const SCHEMES = ['HTTP', 'HTTPS'];
const HEADER = '[-A-Za-z0-9]+';
const isHeader = new RegExp(`^${HEADER}$`);

type Http = NonNullable<Probe['httpGet']>;

/** By the operating system of the pod. */
const STOP_SIGNALS: Readonly<Record<string, readonly string[]>> = {
  windows: ['SIGKILL', 'SIGTERM'],
  linux: [
    ...'ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP'.split(
      ' ',
    ),
    ...'SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX'.split(' '),
    ...Array.from({ length: 15 }, (_, index) => `RTMIN+${index + 1}`),
    ...Array.from({ length: 14 }, (_, index) => `RTMAX-${index + 1}`),
  ].map((name) => `SIG${name}`),
};

/** What of the pod its containers' hooks depend on. */
export interface Ending {
  readonly graceSeconds: number;
  readonly os: string | undefined;
}

export function probeErrors(probe: Probe | undefined, field: string, oneSuccess: boolean): FieldError[] {
  if (!probe) return [];
  const errors = handlerErrors(probe, field);
  for (const key of [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ] as const) {
    const value = probe[key] ?? 0;
    if (value < 0) errors.push(invalidValue(`${field}.${key}`, value, 'must be greater than or equal to 0'));
  }
  if (oneSuccess && (probe.successThreshold ?? 1) > 1)
    errors.push(invalidValue(`${field}.successThreshold`, probe.successThreshold, 'must be 1'));
  if (!oneSuccess && probe.terminationGracePeriodSeconds !== undefined)
    errors.push(
      forbiddenField(`${field}.terminationGracePeriodSeconds`, 'must not be set for readinessProbes'),
    );
  else if (probe.terminationGracePeriodSeconds !== undefined && probe.terminationGracePeriodSeconds <= 0)
    errors.push(
      invalidValue(
        `${field}.terminationGracePeriodSeconds`,
        probe.terminationGracePeriodSeconds,
        'must be greater than 0',
      ),
    );
  return errors;
}

export function hookErrors({ lifecycle }: Container, field: string, ending: Ending): FieldError[] {
  if (!lifecycle) return [];
  const { stopSignal } = lifecycle as { readonly stopSignal?: string };
  const hooks = (['postStart', 'preStop'] as const).flatMap((key) => {
    const hook = lifecycle[key];
    const at = `${field}.lifecycle.${key}`;
    return hook ? [...handlerErrors(hook, at), ...sleepErrors(hook, `${at}.sleep`, ending)] : [];
  });
  return [...hooks, ...(stopSignal ? signalErrors(stopSignal, `${field}.lifecycle.stopSignal`, ending) : [])];
}

function sleepErrors({ sleep }: LifecycleHandler, field: string, { graceSeconds }: Ending): FieldError[] {
  // Of a pod whose time is wrong, that is what is said.
  if (!sleep || graceSeconds < 0) return [];
  const { seconds = 0 } = sleep;
  if (seconds >= 0 && seconds <= graceSeconds) return [];
  const detail = `must be non-negative and less than terminationGracePeriodSeconds (${graceSeconds})`;
  return [invalidValue(field, seconds, detail)];
}

function signalErrors(signal: string, field: string, { os }: Ending): FieldError[] {
  if (!os) return [forbiddenField(field, 'may not be set for containers with empty `spec.os.name`')];
  const signals = STOP_SIGNALS[os] ?? [signal]; // of a system that is not known, that is what is said
  return signals.includes(signal) ? [] : [notSupported(field, signal, [...signals].sort())];
}

function handlerErrors(probe: Probe | LifecycleHandler, field: string): FieldError[] {
  const errors: FieldError[] = [];
  const handlers = HANDLERS.filter((key) => (probe as Readonly<Record<string, unknown>>)[key]);
  if (handlers.length === 0) return [required(field, 'must specify a handler type')];
  for (const extra of handlers.slice(1))
    errors.push(forbiddenField(`${field}.${extra}`, 'may not specify more than 1 handler type'));
  if (probe.exec && !probe.exec.command?.length) errors.push(required(`${field}.exec.command`));
  if (probe.httpGet) errors.push(...httpErrors(probe.httpGet, `${field}.httpGet`));
  if (probe.tcpSocket) errors.push(...portOrNameErrors(probe.tcpSocket.port, `${field}.tcpSocket.port`));
  if ('grpc' in probe && probe.grpc) errors.push(...portOrNameErrors(probe.grpc.port, `${field}.grpc.port`));
  return errors;
}

function httpErrors({ port, scheme, httpHeaders = [] }: Http, field: string): FieldError[] {
  const errors = portOrNameErrors(port, `${field}.port`);
  if (scheme && !SCHEMES.includes(scheme)) errors.push(notSupported(`${field}.scheme`, scheme, SCHEMES));
  for (const { name } of httpHeaders)
    if (!isHeader.test(name ?? ''))
      errors.push(
        invalidValue(
          `${field}.httpHeaders`,
          name,
          `a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '${HEADER}')`,
        ),
      );
  return errors;
}

function portOrNameErrors(port: number | string | undefined, field: string): FieldError[] {
  if (port === undefined) return [required(field)];
  const details = typeof port === 'number' ? portNumberErrors(port) : portNameErrors(port);
  return details.map((detail) => invalidValue(field, port, detail));
}
