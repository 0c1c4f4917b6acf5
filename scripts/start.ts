import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { bundle } from './bundle.ts';
import { ensureBusyboxImage } from './busybox-image.ts';
import { ensureDockerEngine } from './docker-engine.ts';
import { kubectlPath } from './kubectl.ts';
import { files, ROOT } from './local-files.ts';
import {
  isConnected,
  runningAgent,
  runningHub,
  startAgent,
  startHub,
  stopAgent,
  stopHub,
  writeCommands,
} from './local-processes.ts';
import { readFrom, type StartedDaemon } from './processes.ts';
import { until } from './until.ts';

const run = promisify(execFile);
const say = (text: string) => console.log(text);
const EXAMPLE = join(ROOT, 'examples/hello.yaml');
const ROLLOUT_TIMEOUT = '90s';
const CONNECT_TIMEOUT_MS = 30_000;

interface Running {
  /** Those that this process started. */
  readonly hub: StartedDaemon | undefined;
  readonly agent: StartedDaemon | undefined;
}

/** Brings everything up and resolves once the example is available. */
async function start(): Promise<Running> {
  mkdirSync(files.home, { recursive: true, mode: 0o700 });
  const [{ host }, kubectl] = await Promise.all([ensureDockerEngine(say), kubectlPath()]);
  await Promise.all([ensureBusyboxImage(host), bundle()]);
  writeCommands();
  rmSync(`${files.bin}/kubectl`, { force: true });
  symlinkSync(kubectl, `${files.bin}/kubectl`);

  const ran = { hub: runningHub(), agent: runningAgent() };
  const hub = ran.hub ? undefined : await startHub();
  say(ran.hub ? `The hub runs already (process ${ran.hub}).` : `The hub is up (process ${hub?.pid}).`);
  const agent = ran.agent ? undefined : await startAgent(host);
  say(
    ran.agent ? `The agent runs already (process ${ran.agent}).` : `The agent is up (process ${agent?.pid}).`,
  );
  // An agent that lost the hub asks for it less and less often: what the hub knows until then is old.
  if (!(await until(isConnected, CONNECT_TIMEOUT_MS)))
    say(`The agent is not connected yet; it goes on trying (${relative(ROOT, files.agentLog)}).`);
  const node = readFrom(files.node, 0).trim();
  await call('wait', '--for=condition=Ready', `node/${node}`, '--timeout=30s');
  if (!existsSync(files.applied)) await applyExample();
  return { hub, agent };
}

async function applyExample(): Promise<void> {
  await call('apply', '-f', EXAMPLE);
  try {
    await call('rollout', 'status', 'deployment/hello', `--timeout=${ROLLOUT_TIMEOUT}`);
  } catch (error) {
    await show('get', 'nodes,pods', '-o', 'wide');
    throw new Error(`the example is not available within ${ROLLOUT_TIMEOUT}: see above, ${logs()}`, {
      cause: error,
    });
  }
  writeFileSync(files.applied, '');
}

const logs = () => `${relative(ROOT, files.hubLog)} and ${relative(ROOT, files.agentLog)}`;

const kubectlArgs = (args: readonly string[]) => [
  '--kubeconfig',
  files.kubeconfig,
  '--cache-dir',
  join(files.home, 'kubectl-cache'),
  ...args,
];

/** Runs kubectl. Resolves with what it printed; rejects with what it said. */
async function call(...args: string[]): Promise<string> {
  try {
    return (await run(`${files.bin}/kubectl`, kubectlArgs(args))).stdout;
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim() || (error as Error).message;
    throw new Error(`kubectl ${args.join(' ')}: ${said}`, { cause: error });
  }
}

/** Runs kubectl for people to see. */
function show(...args: string[]): Promise<void> {
  return new Promise((resolve) => {
    const child = spawn(`${files.bin}/kubectl`, kubectlArgs(args), {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.once('error', () => resolve());
    child.once('exit', () => resolve());
  });
}

async function printState(): Promise<void> {
  console.log('');
  await show('get', 'nodes,deployments,pods', '-o', 'wide');
  const ips = await call('get', 'pods', '-l', 'app=hello', '-o', 'jsonpath={.items[*].status.podIP}');
  const [ip] = ips.split(' ').filter(Boolean);
  const home = relative(process.cwd(), files.home) || '.holdfast';
  console.log(`
To use it from a shell:
  export KUBECONFIG="$PWD/${home}/kubeconfig.yaml" PATH="$PWD/${home}/bin:$PATH"

Three things to try:
  curl http://${ip ?? 'POD-IP'}:8080                         # the example answers
  kubectl scale deployment hello --replicas=4         # then: kubectl get pods -w
  kill $(cat ${home}/hub.pid); holdfast-agent status    # the device goes on without its hub
`);
}

/** Until Ctrl-C. A part that ends by itself is told, and nothing else ends: on a device it would be the same. */
async function stayInForeground({ hub, agent }: Running): Promise<void> {
  console.log('Ctrl-C stops the hub and the agent; the containers go on running.');
  const tell = (what: string, daemon: StartedDaemon | undefined, log: string) => {
    void daemon?.end.then((how) => {
      if (stopping) return;
      const again = 'start it again from another shell with "npm start -- --detach"';
      console.log(`The ${what} has ended (${how}; ${relative(ROOT, log)}): ${again}.`);
    });
  };
  let stopping = false;
  tell('hub', hub, files.hubLog);
  tell('agent', agent, files.agentLog);
  const idle = setInterval(() => {}, 2 ** 30);
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve());
  });
  clearInterval(idle);
  stopping = true;
  console.log('\nStopping...');
  await stopAll();
}

async function stopAll(): Promise<void> {
  await Promise.all([stopAgent(), stopHub()]);
}

// Whoever reads this may be gone, as `| head` is or a closed terminal: the work goes on.
process.stdout.on('error', () => {});
// What was started stays up when a start is given up: the next one goes on from there.
process.once('SIGINT', () => process.exit(130));
try {
  const { values } = parseArgs({ options: { detach: { type: 'boolean', default: false } } });
  const running = await start();
  process.removeAllListeners('SIGINT');
  await printState();
  const startedSome = running.hub !== undefined || running.agent !== undefined;
  if (!startedSome) console.log('Both ran already; "npm run stop" stops them.');
  else if (values.detach) console.log('Both go on in the background; "npm run stop" stops them.');
  else await stayInForeground(running);
} catch (error) {
  console.error(`npm start: ${(error as Error).message}`);
  process.exitCode = 1;
}
