import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ApiClient } from '../../hub/cli/api-client.ts';
import { fingerprintOf } from '../../hub/security/certificate-authority.ts';
import { newJoinToken } from '../../hub/security/join-tokens.ts';
import { endWithParent } from '../../proto/end-with-parent.ts';
import { formatJoinToken } from '../../proto/join-token.ts';
import { credentialsOf } from '../bench/credentials.ts';
import { Fleet, type FleetOptions, type FleetProgress } from './fleet.ts';
import { parseScenario } from './read-scenario.ts';
import type { LabelSpread, Scenario } from './scenario.ts';

const USAGE = `node scripts/fleet-sim/main.ts --kubeconfig FILE [options]
  runs simulated devices against a hub until Ctrl-C: real agents and links on simulated container engines

  --kubeconfig FILE      the hub's, of an administrator: makes a join token, labels the nodes (KUBECONFIG)
  --devices N            how many (100)
  --scenario FILE        what happens to them, JSON: see docs/fleet-sim.md
  --seed TEXT            another one is another fleet (0)
  --transport NAME       mqtt or grpc (mqtt)
  --labels KEY=PREFIX:N  spreads a label over the fleet: values PREFIX0 to PREFIX<N-1>; may be given several times
  --name-prefix TEXT     devices are named by this and a number (sim-)
  --hub HOST[:PORT]      the hub's gRPC port (the kubeconfig's host, 6444)
  --ca-file FILE         the hub's ca.json: makes nodes several times faster than enrolment
  --connects-at-once N   how many devices connect at the same time (64)
  --state memory|files   where agents keep their state (files up to 200 devices)
  --every SECONDS        between two lines of progress (5)`;

const DEFAULT_GRPC_PORT = 6444;
const TOKEN_TTL_MS = 3_600_000;
const MS_PER_SECOND = 1000;
const BYTES_PER_MIB = 1024 * 1024;

interface Options extends Omit<FleetOptions, 'token' | 'kubeconfig'> {
  readonly kubeconfig: string;
  readonly everyMs: number;
}

/** Throws an error that says what is wrong. */
function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      kubeconfig: { type: 'string', default: process.env['KUBECONFIG'] ?? '' },
      devices: { type: 'string', default: '100' },
      scenario: { type: 'string' },
      seed: { type: 'string', default: '0' },
      transport: { type: 'string', default: 'mqtt' },
      labels: { type: 'string', multiple: true, default: [] },
      'name-prefix': { type: 'string', default: 'sim-' },
      hub: { type: 'string' },
      'ca-file': { type: 'string' },
      'connects-at-once': { type: 'string', default: '64' },
      state: { type: 'string' },
      every: { type: 'string', default: '5' },
    },
  });
  const { kubeconfig, transport, state } = values;
  if (!kubeconfig) throw new Error('--kubeconfig (or KUBECONFIG) must name the kubeconfig of the hub');
  if (transport !== 'mqtt' && transport !== 'grpc')
    throw new Error(`--transport must be mqtt or grpc, is "${transport}"`);
  if (state !== undefined && state !== 'memory' && state !== 'files')
    throw new Error(`--state must be memory or files, is "${state}"`);
  const scenario = values.scenario === undefined ? {} : readScenario(values.scenario);
  const labels = { ...scenario.labels, ...Object.fromEntries(values.labels.map(parseLabel)) };
  return {
    kubeconfig,
    hub: parseHub(values.hub ?? hostOf(kubeconfig)),
    size: parseCount('devices', values.devices),
    scenario: { ...scenario, labels },
    seed: values.seed,
    transport,
    namePrefix: values['name-prefix'],
    ...(values['ca-file'] !== undefined && { caFile: values['ca-file'] }),
    ...(state && { stateInMemory: state === 'memory' }),
    connectsAtOnce: parseCount('connects-at-once', values['connects-at-once']),
    everyMs: parseCount('every', values.every) * MS_PER_SECOND,
  };
}

function hostOf(kubeconfig: string): string {
  try {
    return credentialsOf(kubeconfig).host;
  } catch (error) {
    throw new Error(`read the kubeconfig "${kubeconfig}": name the hub's with --kubeconfig or KUBECONFIG`, {
      cause: error,
    });
  }
}

function readScenario(file: string): Scenario {
  try {
    return parseScenario(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`read the scenario "${file}"`, { cause: error });
  }
}

function parseLabel(text: string): [string, LabelSpread] {
  const [, key = '', prefix = '', count = ''] = /^([^=]+)=([^:]*):([1-9]\d*)$/.exec(text) ?? [];
  if (!key) throw new Error(`--labels must look like KEY=PREFIX:N, is "${text}"`);
  return [key, { prefix, count: Number(count) }];
}

function parseHub(text: string): { host: string; port: number } {
  const url = new URL(`tcp://${text}`);
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port) || DEFAULT_GRPC_PORT };
}

function parseCount(flag: string, text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new Error(`--${flag} must be a whole number above 0, is "${text}"`);
  return Number(text);
}

/** With as many uses as there are devices. */
async function newToken(kubeconfig: string, uses: number): Promise<string> {
  const client = ApiClient.fromKubeconfig(kubeconfig);
  const settings = { ttlMs: TOKEN_TTL_MS, uses, description: 'fleet simulator' };
  const { credential, secret } = newJoinToken(settings, Date.now());
  await client.call('POST', '/api/v1/namespaces/kube-system/secrets', secret);
  return formatJoinToken({ caHash: fingerprintOf(client.caCertificate), credential });
}

const startedAtMs = performance.now();

function say(text: string): void {
  const seconds = ((performance.now() - startedAtMs) / MS_PER_SECOND).toFixed(1).padStart(7);
  console.log(`${seconds} s  ${text}`);
}

function describe(fleet: Fleet): string {
  const { devices, running, ended, restarts } = fleet.summary();
  const counts = (of: Readonly<Record<string, number>>) =>
    Object.entries(of)
      .filter(([, count]) => count > 0)
      .map(([name, count]) => `${count} ${name}`)
      .join(', ') || 'none';
  const mib = Math.round(process.memoryUsage().rss / BYTES_PER_MIB);
  return `devices: ${counts(devices)}; running: ${counts(running)}; ended: ${ended}; restarts: ${restarts}; ${mib} MiB`;
}

function describeError(error: Error): string {
  return error.cause instanceof Error
    ? `${error.message}\n  because: ${describeError(error.cause)}`
    : error.message;
}

async function main(): Promise<void> {
  endWithParent();
  const { everyMs, ...options } = readOptions();
  let progress: FleetProgress = { stage: 'identities', done: 0 };
  let fleet: Fleet | undefined;
  const tell = () => say(fleet ? describe(fleet) : `${progress.stage}: ${progress.done} of ${options.size}`);
  const timer = setInterval(tell, everyMs);
  const token = await newToken(options.kubeconfig, options.size);
  fleet = await Fleet.start({
    ...options,
    token,
    onProgress: (now) => {
      if (now.stage !== progress.stage) say(`${progress.stage}: done; now ${now.stage}`);
      progress = now;
    },
    onFailure: (device, error) => say(`the agent of ${device.name} ended by itself: ${describeError(error)}`),
  });
  say(`the fleet is up: ${describe(fleet)}`);
  await new Promise((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  clearInterval(timer);
  say(describe(fleet));
  await fleet.close();
  say('the fleet is off; its nodes stay: kubectl delete them when they are of no more use');
}

if (process.argv.slice(2).some((argument) => argument === '--help' || argument === 'help')) {
  console.log(USAGE);
} else {
  try {
    await main();
    process.exit(0);
  } catch (error) {
    console.error(`fleet-sim: ${describeError(error as Error)}\n(--help tells of all options)`);
    process.exit(1);
  }
}
