import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bundle } from '../bundle.ts';
import { ensureBusyboxImage } from '../busybox-image.ts';
import { ensureDockerEngine } from '../docker-engine.ts';
import { kubectlPath } from '../kubectl.ts';
import { ROOT } from '../local-files.ts';
import { agentStart } from './agent-start.ts';
import { measureApi } from './api/main.ts';
import { applyOne, applyTen } from './apply.ts';
import type { Bench, Subject } from './bench.ts';
import { deploy, IMAGES, newName, undeploy } from './deployment.ts';
import { idle } from './idle.ts';
import { measurePackages } from './package/main.ts';
import { RawEngine } from './raw-engine.ts';
import { type Result, resultOf, tableOf } from './result.ts';
import { measureRollouts } from './rollout/main.ts';
import { selfHeal } from './self-heal.ts';
import { setImage } from './set-image.ts';
import { Stand, type Transport } from './stand.ts';

const SUBJECTS: readonly Subject[] = [applyOne, applyTen, setImage, selfHeal, agentStart, idle];
const OUTPUT = join(ROOT, '.bench');
const FLOOR_LABEL = 'holdfast.dev/bench-floor';
const WARM_UP = 2;

const USAGE = `npm run bench -- [api | rollout | package] [options]
  api                what the hub's API can take, instead of what hub and devices do together
  rollout            what changes of fleets of simulated devices take: 1,000, 3,000 and 10,000
  package            how large packages are, and what it takes to install one
  --churn SECONDS    of api: how long to create, change and delete (60)
  --only NAME        one of ${SUBJECTS.map(({ name }) => name).join(', ')}; may be given several times
  --transport NAME   mqtt, grpc or both (both)
  --repeat N         repetitions of everything
  --quick            fewer repetitions and shorter waits: for a first look, not for a judgement
  --profile          hub and agent log in detail and leave processor profiles, in .bench/profile`;

const SUITES = ['api', 'rollout', 'package'] as const;
type Suite = (typeof SUITES)[number];

interface Options {
  readonly suite: Suite | undefined;
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
  const unknown = values.only.find((wanted) => !SUBJECTS.some(({ name }) => name === wanted));
  if (unknown) throw new Error(`--only names no subject: "${unknown}"\n${USAGE}`);
  if (!['mqtt', 'grpc', 'both'].includes(values.transport))
    throw new Error(`--transport must be mqtt, grpc or both, is "${values.transport}"`);
  if (values.repeat && !/^[1-9]\d*$/.test(values.repeat))
    throw new Error(`--repeat must be a whole number above 0, is "${values.repeat}"`);
  return {
    suite,
    churnSeconds: Number(values.churn) || 60,
    subjects: SUBJECTS.filter(({ name }) => values.only.length === 0 || values.only.includes(name)),
    transports: values.transport === 'both' ? ['mqtt', 'grpc'] : [values.transport as Transport],
    repeat: values.repeat ? Number(values.repeat) : undefined,
    isQuick: values.quick,
    profileDir: values.profile ? join(OUTPUT, 'profile') : undefined,
  };
}

/** Everything that was started, for the end: also when a measurement fails or is interrupted. */
const open: { close(): Promise<void> | void }[] = [];

async function closeAll(): Promise<void> {
  for (const one of open.splice(0).reverse()) await one.close();
}

async function prepare({ transports, repeat, isQuick, profileDir }: Options): Promise<Bench> {
  const { host } = await ensureDockerEngine(console.log);
  if (!host.startsWith('unix:'))
    throw new Error(`the benchmark needs an engine on a unix socket, not ${host}`);
  const [first, second] = IMAGES;
  await Promise.all([bundle(), kubectlPath(), ensureBusyboxImage(host, { name: first })]);
  await ensureBusyboxImage(host, { name: second, files: { 'etc/version': '2\n' } });
  const engine = new RawEngine(host, FLOOR_LABEL);
  open.push({ close: () => engine.removeAll().then(() => engine.close()) });

  const newStand = async (transport: Transport) => {
    const stand = await Stand.start({
      transport,
      engine,
      dockerHost: host,
      ...(profileDir && { profileDir }),
    });
    open.push(stand);
    return stand;
  };
  let stands: Promise<readonly Stand[]> | undefined;
  return {
    engine,
    transports,
    isQuick,
    repetitions: (full, quick) => repeat ?? (isQuick ? quick : full),
    newStand,
    stands: () => {
      stands ??= Promise.all(transports.map(newStand)).then(warmUp);
      return stands;
    },
  };
}

async function warmUp(stands: readonly Stand[]): Promise<readonly Stand[]> {
  for (const stand of stands) {
    for (let count = 0; count < WARM_UP; count += 1) {
      const name = newName();
      await deploy(stand, name, 1);
      await undeploy(stand, name);
    }
  }
  return stands;
}

const load = () => loadavg()[0]?.toFixed(2) ?? '';

async function measureAll(options: Options): Promise<Result[]> {
  const bench = await prepare(options);
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
