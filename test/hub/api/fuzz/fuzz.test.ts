import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request as sendSecurely } from 'node:https';
import fc, { type Arbitrary } from 'fast-check';
import t from 'tap';
import { resources } from '../../../../hub/resources/table-of-resources.ts';
import { ensureSchema } from '../../../../scripts/generate-schema.ts';
import { minimalObject, sampleName } from '../../resources/minimal-objects.ts';
import { startHub } from '../test-hub.ts';
import * as requests from './requests.ts';

/*
 * Whatever is asked, the answer is a success or a Status that says what was wrong with the request; a refused write
 * changes nothing, and nothing goes wrong inside. A failure prints the seed and the smallest request that shows it:
 *
 *   FUZZ_SEED=123 FUZZ_RUNS=20000 npx tap test/hub/api/fuzz/fuzz.test.ts --timeout=3600
 */

ensureSchema();
const hub = await startHub(t);

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 1000);
const SEED = Number(process.env['FUZZ_SEED'] ?? 20261122);
/** For one request: a hub that takes so long hangs. */
const TIMEOUT_MS = 5_000;

/** The objects that the requests are about, as they were in the beginning. */
async function resetObjects(isAbout = (_collection: string) => true): Promise<void> {
  for (const definition of resources) {
    const collection = requests.collectionOf(definition);
    if (!isAbout(collection)) continue;
    await hub.delete(`${collection}/fresh`);
    if ((await hub.get(`${collection}/sample`)).code === 404)
      await hub.post(collection, minimalObject(definition));
  }
}

interface Answer {
  readonly code: number;
  readonly text: string;
  /** Whether it goes on until the client has enough, as a watch does. */
  readonly isStream: boolean;
}

async function send({ method, path, headers, body }: requests.FuzzRequest): Promise<Answer> {
  const length = { 'content-length': String(body === undefined ? 0 : Buffer.byteLength(body)) };
  const request = sendSecurely({
    ...{ host: '127.0.0.1', port: hub.port, agent: hub.admin, method, path },
    ...{ headers: { ...headers, ...length }, signal: AbortSignal.timeout(TIMEOUT_MS) },
  });
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const code = response.statusCode ?? 0;
  const isStream = response.headers['transfer-encoding'] === 'chunked';
  if (isStream) {
    request.on('error', () => undefined);
    request.destroy();
    return { code, text: '', isStream };
  }
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return { code, text: Buffer.concat(chunks).toString(), isStream };
}

/**
 * By Kubernetes' rules these are the server's fault: a version that does not exist yet is waited for in vain, and the
 * pods of this hub run nowhere.
 */
const MAY_FAIL = [503, 504];

/** What is wrong with the answer; undefined when nothing is. */
function problemOf({ method }: requests.FuzzRequest, { code, text, isStream }: Answer): string | undefined {
  if (code >= 500 && !MAY_FAIL.includes(code)) return `code ${code}`;
  if (code < 400 || isStream || method === 'HEAD') return undefined;
  const status = JSON.parse(text);
  if (status.kind !== 'Status' || status.apiVersion !== 'v1' || status.status !== 'Failure')
    return 'no Status';
  if (status.code !== code) return `code ${code}, but ${status.code} in the Status`;
  return status.message && status.reason ? undefined : 'a Status without message or reason';
}

const GROUPS: Readonly<Record<string, Arbitrary<requests.FuzzRequest>>> = {
  'whole objects': requests.write,
  patches: requests.patch,
  deletions: requests.deletion,
  'reads with selectors, tokens and headers': requests.read,
  'stray paths, methods and headers': requests.stray,
  'protobuf bytes': requests.protobuf,
  'text that is hardly JSON or YAML': requests.garbage,
};

for (const [what, arbitrary] of Object.entries(GROUPS)) {
  t.test(what, async (t) => {
    await resetObjects();
    const codes = new Map<number, number>();
    const property = fc.asyncProperty(arbitrary, async (request) => {
      hub.errors.length = 0; // of a request before, of which smaller ones are tried
      const before = hub.registry.revision;
      const answer = await send(request);
      codes.set(answer.code, (codes.get(answer.code) ?? 0) + 1);
      const problem = problemOf(request, answer);
      if (problem) throw new Error(`${problem}: ${answer.text.slice(0, 500)}`, { cause: hub.errors[0] });
      if (hub.errors.length > 0) throw hub.errors[0];
      if (answer.code >= 400 && hub.registry.revision !== before)
        throw new Error('a refused write was written');
      const isThereOrGone = ['POST', 'DELETE'].includes(request.method) && answer.code < 300;
      if (isThereOrGone) await resetObjects((collection) => request.path.startsWith(collection));
    });
    await fc.assert(property, { seed: SEED, numRuns: RUNS });
    t.pass(
      `${RUNS} requests: ${[...codes]
        .sort()
        .map(([code, count]) => `${count} × ${code}`)
        .join(', ')}`,
    );
    t.ok(codes.size > 1, 'not all of them fail in the same way');
  });
}

t.test('the hub goes on', async (t) => {
  await resetObjects();
  for (const definition of resources)
    t.match(
      await hub.get(`${requests.collectionOf(definition)}/${sampleName(definition)}`),
      { code: 200 },
      definition.kind,
    );
});
