import { X509Certificate } from 'node:crypto';
import type { Expression } from '../cel/expression.ts';
import type { FieldError } from '../resources/api-error.ts';
import { forbiddenField, invalidValue, required } from '../resources/field-errors.ts';
import { durationMs } from './duration.ts';
import { deviceExpression, samplesExpression } from './gate-expressions.ts';
import type { DevicesGate, MeasuredGate, OutsideServer } from './measured-gate.ts';

const SHORTEST_INTERVAL_MS = 10_000;
const LONGEST_TIMEOUT_MS = 60_000;
const KINDS = ['devices', 'prometheus', 'webhook'] as const;

/** What the schema cannot say of a gate. */
export function measuredGateErrors(gate: MeasuredGate, field: string): FieldError[] {
  const { devices, prometheus, webhook, interval, deadline, name } = gate;
  const [first, ...more] = KINDS.filter((kind) => gate[kind] !== undefined);
  return [
    ...(first === undefined ? [required(field, `must have one of ${KINDS.join(', ')}`)] : []),
    ...more.map((kind) =>
      forbiddenField(`${field}.${kind}`, `there is ${first} already: a gate is one of ${KINDS.join(', ')}`),
    ),
    ...(name === 'health' || name === 'lost'
      ? [invalidValue(`${field}.name`, name, 'there is a gate of this name already')]
      : []),
    ...(devices ? devicesErrors(devices, `${field}.devices`) : []),
    ...(prometheus
      ? [
          ...serverErrors(prometheus, `${field}.prometheus`),
          ...expressionErrors(prometheus.expression, samplesExpression, `${field}.prometheus.expression`),
        ]
      : []),
    ...(webhook ? serverErrors(webhook, `${field}.webhook`) : []),
    ...(durationMs(interval) < SHORTEST_INTERVAL_MS
      ? [invalidValue(`${field}.interval`, interval, 'must be at least 10s')]
      : []),
    ...(durationMs(deadline) > 0
      ? []
      : [invalidValue(`${field}.deadline`, deadline, 'must be greater than 0')]),
  ];
}

function devicesErrors({ expression, successThreshold }: DevicesGate, field: string): FieldError[] {
  return [
    ...expressionErrors(expression, deviceExpression, `${field}.expression`),
    ...(successThreshold === '0%'
      ? [
          invalidValue(
            `${field}.successThreshold`,
            successThreshold,
            'a gate that nothing fails: set dryRun instead',
          ),
        ]
      : []),
  ];
}

function expressionErrors(text: string, compile: (text: string) => Expression, field: string): FieldError[] {
  try {
    compile(text);
    return [];
  } catch (error) {
    return [invalidValue(field, text, `it can not be understood: ${(error as Error).message}`)];
  }
}

function serverErrors({ url, timeout, caBundle, tokenSecret }: OutsideServer, field: string): FieldError[] {
  const timeoutMs = durationMs(timeout);
  const problem = urlProblem(url, tokenSecret !== undefined);
  return [
    ...(problem ? [invalidValue(`${field}.url`, url, problem)] : []),
    ...(timeoutMs > 0 && timeoutMs <= LONGEST_TIMEOUT_MS
      ? []
      : [invalidValue(`${field}.timeout`, timeout, 'must be greater than 0 and at most 60s')]),
    ...(caBundle !== undefined && !isCertificates(caBundle)
      ? [invalidValue(`${field}.caBundle`, '<PEM>', 'must be certificates in PEM')]
      : []),
  ];
}

/** By plain HTTP a token would be read by others on the way. */
function urlProblem(text: string, hasToken: boolean): string | undefined {
  const url = URL.parse(text);
  if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    return 'must be a URL that begins with https:// or http://';
  if (url.username || url.password) return 'must not have a password: use tokenSecret';
  if (url.hash) return 'must not have a fragment';
  if (hasToken && url.protocol === 'http:') return 'must begin with https:// when a token is sent';
  return undefined;
}

function isCertificates(pem: string): boolean {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  try {
    for (const block of blocks) new X509Certificate(block);
    return blocks.length > 0;
  } catch {
    return false;
  }
}
