import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from '../local-files.ts';
import { agentStart } from './agent-start.ts';
import { measureApi } from './api/main.ts';
import { applyOne, applyTen } from './apply.ts';
import type { Subject } from './bench.ts';
import { DEVICE_SUBJECTS, PODMAN_SUBJECTS } from './device/main.ts';
import { idle } from './idle.ts';
import { measurePackages } from './package/main.ts';
import { ENGINES, type EngineName, prepare } from './prepare.ts';
import { type Result, resultOf, tableOf } from './result.ts';
import { measureRollouts } from './rollout/main.ts';
import { selfHeal } from './self-heal.ts';
import { setImage } from './set-image.ts';
import type { Transport } from './stand.ts';

const SUBJECTS: readonly Subject[] = [applyOne, applyTen, setImage, selfHeal, agentStart, idle];
const OUTPUT = join(ROOT, '.bench');

const names = (subjects: readonly Subject[]) => subjects.map(({ name }) => name).join(', ');

const USAGE = `npm run bench -- [api | device | rollout | package] [options]
  api                what the hub's API can take, instead of what hub and devices do together
  device             what an agent takes from its device, and leaves on it; nobody else may use the engine meanwhile
  rollout            what changes of fleets of simulated devices take: 1,000, 3,000 and 10,000
  package            how large packages are, and what it takes to install one
  --churn SECONDS    of api: how long to create, change and delete (60)
  --only NAME        one of ${names(SUBJECTS)}; may be given several times;
                     of device: ${names(DEVICE_SUBJECTS)}; with Podman also ${names(PODMAN_SUBJECTS)}
  --engine NAME      of device: docker or podman, Debian's, which is started for it (docker)
  --transport NAME   mqtt, grpc or both (both)
  --repeat N         repetitions of everything
  --quick            fewer repetitions and shorter waits: for a first look, not for a judgement
  --profile          hub and agent log in detail and leave processor profiles, in .bench/profile`;

const SUITES = ['api', 'device', 'rollout', 'package'] as const;
type Suite = (typeof SUITES)[number];

interface Options {
  readonly suite: Suite | undefined;
  readonly engineName: EngineName;
  readonly churnSeconds: number;
  readonly subjects: readonly Subject[];
  readonly transports: readonly Transport[];
  readonly repeat: number | undefined;
  readonly isQuick: boolean;
  readonly profileDir: string | undefined;
}

function readOptions(): Options {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      churn: { type: 'string', default: '60' },
      only: { type: 'string', multiple: true, default: [] },
      engine: { type: 'string', default: 'docker' },
      transport: { type: 'string', default: 'both' },
      repeat: { type: 'string' },
      quick: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
    },
  });
  const [name, ...more] = positionals;
  const suite = SUITES.find((each) => each === name);
  if ((name !== undefined && !suite) || more.length > 0)
    throw new Error(`there is no suite "${positionals.join(' ')}"\n${USAGE}`);
  const engineName = ENGINES.find((each) => each === values.engine);
  if (!engineName || (engineName !== 'docker' && suite !== 'device'))
    throw new Error(`--engine must be docker or, of device, podman, is "${values.engine}"`);
  const all = subjectsOf(suite, engineName);
  const unknown = values.only.find((wanted) => !all.some(({ name }) => name === wanted));
  if (unknown) throw new Error(`--only names no subject: "${unknown}"\n${USAGE}`);
  if (!['mqtt', 'grpc', 'both'].includes(values.transport))
    throw new Error(`--transport must be mqtt, grpc or both, is "${values.transport}"`);
  if (values.repeat && !/^[1-9]\d*$/.test(values.repeat))
    throw new Error(`--repeat must be a whole number above 0, is "${values.repeat}"`);
  return {
    suite,
    churnSeconds: Number(values.churn) || 60,
    engineName,
    subjects: all.filter(({ name }) => values.only.length === 0 || values.only.includes(name)),
    transports: values.transport === 'both' ? ['mqtt', 'grpc'] : [values.transport as Transport],
    repeat: values.repeat ? Number(values.repeat) : undefined,
    isQuick: values.quick,
    profileDir: values.profile ? join(OUTPUT, 'profile') : undefined,
  };
}

function subjectsOf(suite: Suite | undefined, engineName: EngineName): readonly Subject[] {
  if (suite !== 'device') return SUBJECTS;
  return engineName === 'podman' ? [...PODMAN_SUBJECTS, ...DEVICE_SUBJECTS] : DEVICE_SUBJECTS;
}

/** Everything that was started, for the end: also when a measurement fails or is interrupted. */
const open: { close(): Promise<void> | void }[] = [];

async function closeAll(): Promise<void> {
  for (const one of open.splice(0).reverse()) await one.close();
}

const load = () => loadavg()[0]?.toFixed(2) ?? '';

async function measureAll(options: Options): Promise<Result[]> {
  const bench = await prepare(options, open);
  const results: Result[] = [];
  for (const subject of options.subjects) {
    console.log(`${subject.name} ... (load ${load()})`);
    results.push(...(await subject.measure(bench)).map(resultOf));
  }
  return results;
}

async function measureApiWith({ repeat = 3, ...options }: Options): Promise<Result[]> {
  return (await measureApi({ ...options, repeat }, open)).map(resultOf);
}

async function measureSuite(options: Options): Promise<Result[]> {
  switch (options.suite) {
    case 'api':
      return measureApiWith(options);
    case 'rollout':
      return (await measureRollouts(options, open)).map(resultOf);
    case 'package':
      return (await measurePackages(options.repeat ?? 3, open)).map(resultOf);
    default:
      return measureAll(options);
  }
}

async function main(): Promise<void> {
  const options = readOptions();
  const started = { at: new Date().toISOString(), load: load(), ms: performance.now() };
  const results = await measureSuite(options);
  await closeAll();
  const seconds = Math.round((performance.now() - started.ms) / 1000);
  console.log(`\n${tableOf(results)}`);
  console.log(
    `\nMedians; each floor was measured in turns with what stands beside it. ${cpus().length} cores, ` +
      `load ${started.load} before, ${load()} after, ${seconds} s.`,
  );
  mkdirSync(OUTPUT, { recursive: true });
  const report = { startedAt: started.at, seconds, cores: cpus().length, load: started.load, results };
  writeFileSync(join(OUTPUT, 'results.json'), `${JSON.stringify(report, undefined, 2)}\n`);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void closeAll().finally(() => process.exit(1)));
try {
  await main();
} catch (error) {
  console.error(`npm run bench: ${(error as Error).message}`);
  process.exitCode = 1;
  await closeAll();
}
