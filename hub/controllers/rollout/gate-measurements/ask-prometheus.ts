import { evaluating, Sample, samplesExpression } from '../../../fleet/gate-expressions.ts';
import type { PrometheusGate } from '../../../fleet/measured-gate.ts';
import { isJsonObject } from '../../../schema/json-type.ts';
import type { Finding } from '../measured-gates.ts';
import { type Asking, askServer } from './outside-server.ts';

const PATH = 'api/v1/query';
const SHOWN = 3;
const MOST_LABELS = 120;

/** An instant query, and what its condition makes of the result. Rejects with why nothing is known. */
export async function askPrometheus(asking: Asking, gate: PrometheusGate): Promise<Finding> {
  const url = new URL(gate.url);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/${PATH}`;
  url.searchParams.set('query', gate.query);
  const { status, body } = await askServer(asking, gate, {
    url,
    method: 'GET',
    headers: { Accept: 'application/json' },
  });
  return judgeSamples(gate.expression, samplesOf(status, body));
}

/** Throws with what is wrong with the answer. Samples that are no number (0 divided by 0) are no data. */
export function samplesOf(status: number, body: string): readonly Sample[] {
  const answer = parsed(body);
  if (status !== 200) {
    const error = isJsonObject(answer) && typeof answer['error'] === 'string' ? `: ${answer['error']}` : '';
    throw new Error(`the server answered with status ${status}${error}`);
  }
  const data = isJsonObject(answer) && answer['status'] === 'success' ? answer['data'] : undefined;
  if (!isJsonObject(data)) throw new Error('the server answered with what is no result of a query');
  const { resultType, result } = data;
  const series =
    resultType === 'scalar'
      ? [{ metric: {}, value: result }]
      : resultType === 'vector' && Array.isArray(result)
        ? result
        : undefined;
  if (!series)
    throw new Error(
      `the query must have a vector or a scalar as its result, has ${JSON.stringify(resultType)}`,
    );
  return series.map(sampleOf).filter(({ value }) => !Number.isNaN(value));
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function sampleOf(series: unknown): Sample {
  const { metric = {}, value } = isJsonObject(series) ? series : {};
  const number = Array.isArray(value) ? numberOf(value[1]) : undefined;
  if (number === undefined || !isJsonObject(metric))
    throw new Error('the server answered with what is no sample');
  const labels = Object.entries(metric).filter(([, text]) => typeof text === 'string');
  return new Sample(Object.fromEntries(labels) as Record<string, string>, number);
}

/** As Prometheus writes numbers. Undefined for what is none. */
function numberOf(text: unknown): number | undefined {
  if (typeof text !== 'string' || text.trim() === '') return undefined;
  if (text === 'NaN') return Number.NaN;
  const number = Number(text.replace(/Inf$/, 'Infinity'));
  return Number.isNaN(number) ? undefined : number;
}

export function judgeSamples(expression: string, samples: readonly Sample[]): Finding {
  if (samples.length === 0) return { result: 'inconclusive', message: 'the query found no data' };
  const holds = evaluating(() => samplesExpression(expression).evaluate({ result: samples }));
  const more = samples.length > SHOWN ? ` and ${samples.length - SHOWN} more` : '';
  const shown = samples.slice(0, SHOWN).map(sampleText).join(', ') + more;
  return {
    result: holds === true ? 'pass' : 'fail',
    message: `${holds === true ? 'holds' : 'does not hold'} for ${shown}`,
  };
}

function sampleText({ labels, value }: Sample): string {
  const names = Object.entries(labels).map(([name, text]) => `${name}=${JSON.stringify(text)}`);
  return names.length > 0 ? `${value} {${names.join(',').slice(0, MOST_LABELS)}}` : String(value);
}
