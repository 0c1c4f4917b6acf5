import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { hostname } from 'node:os';
import { json } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { AGENT, HUB } from './bundle.ts';
import { files } from './local-files.ts';
import type { Ports } from './ports.ts';
import { choosePorts } from './ports.ts';
import {
  lastLines,
  readFrom,
  runningPid,
  type StartedDaemon,
  startDaemon,
  stopProcess,
} from './processes.ts';
import { until } from './until.ts';

/* The hub and the agent of this checkout: how they are started, found and stopped. */

const run = promisify(execFile);
const ADDRESS = '127.0.0.1';
const START_TIMEOUT_MS = 30_000;

/** Of packages that we do not write: they say it once at every start. */
const QUIET = ['--disable-warning=DEP0169', '--disable-warning=DEP0123'];

/**
 * V8's own nursery grows to 64 MiB and more, and its heap to several times what lives in it: a hub under steady change would
 * grow for hours, and one with 10,000 devices in the middle of a rollout hold 1.8 GiB in place of 1.4. It costs about a
 * tenth of the speed.
 */
export const HUB_FLAGS: readonly string[] = [
  ...QUIET,
  '--max-semi-space-size=16',
  '--heap-growing-percent=40',
];

/** A device's memory counts more than speed that an agent has no use for: no optimising compiler, a small nursery. */
export const AGENT_FLAGS: readonly string[] = [
  ...QUIET,
  '--lite-mode',
  '--max-semi-space-size=1',
  '--expose-gc',
];

/** An extra file of certificates would only slow down their start: both trust the hub's own CA alone. */
function environment(own: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const { NODE_EXTRA_CA_CERTS: _, ...rest } = process.env;
  return { ...rest, ...own };
}

const hubEnvironment = () => environment({ NODE_COMPILE_CACHE: files.cache });
/** glibc keeps what was freed for longer than a device should wait for it; arenas for threads that hardly allocate cost megabytes. */
export const AGENT_MALLOC = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_TRIM_THRESHOLD_: '65536',
  MALLOC_MMAP_THRESHOLD_: '65536',
} as const;

export const agentEnvironment = () => environment(AGENT_MALLOC);

const isHub = (command: readonly string[]) => command.includes(HUB);
const isAgent = (command: readonly string[]) => command.includes(AGENT);

export const runningHub = () => runningPid(files.hubPid, isHub);
export const runningAgent = () => runningPid(files.agentPid, isAgent);

/** Resolves with whether it ran. */
export const stopHub = () => stopProcess(files.hubPid, isHub);
/** Resolves with whether it ran. Its containers go on running. */
export const stopAgent = () => stopProcess(files.agentPid, isAgent);

/** Starts the hub and waits until it is ready. */
export async function startHub(): Promise<StartedDaemon> {
  writeHubSettings(await choosePorts(files.ports));
  const logBefore = sizeOf(files.hubLog);
  const daemon = startDaemon({
    program: process.execPath,
    args: [...HUB_FLAGS, HUB, 'hub', `--config=${files.hubSettings}`],
    env: hubEnvironment(),
    logFile: files.hubLog,
    pidFile: files.hubPid,
  });
  const isReady = () => readFrom(files.hubLog, logBefore).includes('"the hub is ready"');
  await started('the hub', daemon, files.hubLog, files.hubPid, logBefore, isReady);
  return daemon;
}

/** In a file: commands on this machine, `holdfast doctor` among them, are to know them too. */
function writeHubSettings({ api, grpc, mqtt }: Ports): void {
  const settings = {
    dataDir: files.hubData,
    bindAddress: ADDRESS,
    apiPort: api,
    grpcPort: grpc,
    mqttPort: mqtt,
    writeKubeconfig: files.kubeconfig,
  };
  writeFileSync(files.hubSettings, JSON.stringify(settings, undefined, 2)); // YAML, as all JSON is
}

/** Starts the agent, which joins the hub if it never did, and waits until it serves its own status. */
export async function startAgent(dockerHost: string): Promise<StartedDaemon> {
  if (!existsSync(files.node)) await join();
  const logBefore = sizeOf(files.agentLog);
  const daemon = startDaemon({
    program: process.execPath,
    args: [
      ...AGENT_FLAGS,
      AGENT,
      'run',
      `--data-dir=${files.agentData}`,
      `--run-dir=${files.run}`,
      `--docker-host=${dockerHost}`,
      `--node-name=${readFrom(files.node, 0).trim()}`,
    ],
    env: agentEnvironment(),
    logFile: files.agentLog,
    pidFile: files.agentPid,
  });
  const isReady = () => readFrom(files.agentLog, logBefore).includes('"the agent starts"');
  await started('the agent', daemon, files.agentLog, files.agentPid, logBefore, isReady);
  return daemon;
}

/** Whether the agent says, on its own socket, that it is connected to the hub. */
export function isConnected(): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = get(
      { socketPath: `${files.run}/agent.sock`, path: '/v1/status', agent: false },
      (answer) => {
        answer.once('error', () => resolve(false));
        void json(answer)
          .then((status) => resolve((status as { connected: boolean }).connected))
          .catch(() => resolve(false));
      },
    );
    asked.once('error', () => resolve(false));
  });
}

async function join(): Promise<void> {
  const node = nodeName(process.env['HOLDFAST_NODE_NAME'] || hostname());
  const { grpc } = await readPorts();
  const token = await call(HUB, HUB_FLAGS, [
    'token',
    'create',
    '--ttl=10m',
    `--kubeconfig=${files.kubeconfig}`,
  ]);
  writeFileSync(files.token, token, { mode: 0o600 });
  try {
    await call(AGENT, AGENT_FLAGS, [
      'join',
      `--hub=${ADDRESS}:${grpc}`,
      `--token-file=${files.token}`,
      `--data-dir=${files.agentData}`,
      `--node-name=${node}`,
    ]);
  } catch (error) {
    // It had, and this process ended before it could note it.
    if (!(error as Error).message.includes('has joined as')) throw error;
  } finally {
    rmSync(files.token, { force: true });
  }
  writeFileSync(files.node, `${node}\n`);
}

const readPorts = async () => JSON.parse(readFrom(files.ports, 0)) as Ports;

/** A machine's name as a node's: a DNS subdomain. */
export function nodeName(machine: string): string {
  const name = machine
    .toLowerCase()
    .replace(/[^a-z0-9.]+/g, '-')
    .replace(/(^|\.)[-.]+/g, '$1')
    .replace(/[-.]+($|\.)/g, '$1');
  return name || 'this-machine';
}

/** Runs a command of a bundle. Resolves with what it printed; rejects with what it said. */
async function call(program: string, flags: readonly string[], args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await run(process.execPath, [...flags, program, ...args], { env: environment({}) });
    return stdout;
  } catch (error) {
    throw new Error((error as { stderr?: string }).stderr?.trim() || (error as Error).message, {
      cause: error,
    });
  }
}

async function started(
  what: string,
  daemon: StartedDaemon,
  logFile: string,
  pidFile: string,
  logBefore: number,
  isReady: () => boolean,
): Promise<void> {
  const outcome = await until(() => daemon.ended() ?? isReady(), START_TIMEOUT_MS);
  if (outcome === true) return;
  if (outcome !== undefined) rmSync(pidFile, { force: true });
  const why = outcome ?? `not ready within ${START_TIMEOUT_MS / 1000} s`;
  throw new Error(`${what} does not start (${why}); it says (${logFile}):\n${complaint(logFile, logBefore)}`);
}

/** What a program said for people, if anything: its other lines are JSON. */
function complaint(logFile: string, offset: number): string {
  const lines = readFrom(logFile, offset).trim().split('\n');
  const plain = lines.filter((line) => line && !line.startsWith('{'));
  return plain.length > 0 ? plain.slice(-6).join('\n') : lastLines(logFile, offset);
}

const sizeOf = (file: string) => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

/** `holdfast`, the same as a plugin of kubectl, and `holdfast-agent`: commands that know where this checkout's data is. */
export function writeCommands(): void {
  mkdirSync(files.bin, { recursive: true });
  const hub = (name: string, variables: Readonly<Record<string, string>>) =>
    writeCommand(`${files.bin}/${name}`, HUB, HUB_FLAGS, {
      ...{ KUBECONFIG: files.kubeconfig, HOLDFAST_HUB_CONFIG: files.hubSettings },
      ...variables,
    });
  hub('holdfast', {});
  hub('kubectl-holdfast', AS_PLUGIN);
  writeCommand(`${files.bin}/holdfast-agent`, AGENT, AGENT_FLAGS, {
    HOLDFAST_AGENT_DATA_DIR: files.agentData,
    HOLDFAST_AGENT_RUN_DIR: files.run,
  });
}

/** What makes `holdfast` the plugin `kubectl holdfast`: its help speaks of itself so. */
export const AS_PLUGIN = { HOLDFAST_PROGRAM: 'kubectl holdfast' };

/** A program as an executable file. Variables count where the caller has not set them. */
export function writeCommand(
  file: string,
  program: string,
  flags: readonly string[],
  variables: Readonly<Record<string, string>>,
): void {
  const settings = Object.entries(variables).map(([key, value]) => `export ${key}="\${${key}:-${value}}"\n`);
  const line = `exec '${process.execPath}' ${flags.join(' ')} '${program}' "$@"`;
  writeFileSync(file, `#!/bin/sh\n${settings.join('')}${line}\n`);
  chmodSync(file, 0o755);
}
