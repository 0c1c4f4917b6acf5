import { createHmac } from 'node:crypto';
import type { WebhookGate } from '../../../fleet/measured-gate.ts';
import { GATE_RESULTS, type GateResult } from '../../../fleet/rollout.ts';
import { isJsonObject } from '../../../schema/json-type.ts';
import type { Finding } from '../measured-gates.ts';
import { type Asking, askServer, secretText } from './outside-server.ts';

/** Asks another system about a wave. Rejects with why nothing is known. */
export async function askWebhook(asking: Asking, gate: WebhookGate, about: object): Promise<Finding> {
  const body = JSON.stringify(about);
  const key = gate.signingSecret && secretText(asking, gate.signingSecret);
  const { status, body: answer } = await askServer(asking, gate, {
    url: new URL(gate.url),
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      Accept: 'application/json',
      ...(key !== undefined && { 'X-Holdfast-Signature': signatureOf(key, body) }),
    },
    body,
  });
  return findingOf(status, answer);
}

export function signatureOf(key: string, body: string): string {
  return `sha256=${createHmac('sha256', key).update(body).digest('hex')}`;
}

/** Throws with what is wrong with the answer. */
export function findingOf(status: number, body: string): Finding {
  if (status !== 200) throw new Error(`it answered with status ${status}, 200 is expected`);
  const { result, message } = objectOf(body);
  if (!GATE_RESULTS.includes(result as GateResult))
    throw new Error(`its answer must have "result" as one of ${GATE_RESULTS.join(', ')}`);
  return {
    result: result as GateResult,
    message: typeof message === 'string' && message ? message : `it says ${result}`,
  };
}

function objectOf(body: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body);
    if (isJsonObject(value)) return value;
  } catch {
    // told below
  }
  throw new Error('its answer must be an object of JSON');
}
