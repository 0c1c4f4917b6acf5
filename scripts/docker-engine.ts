import { existsSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { basename } from 'node:path';
import { installPackages, whyNoApt } from './apt.ts';
import { DockerApi } from './docker-api.ts';
import { files } from './local-files.ts';
import { lastLines, readFrom, runningPid, startDaemon, stopProcess } from './processes.ts';
import { until } from './until.ts';

const DEFAULT_SOCKET = '/var/run/docker.sock';
const DEFAULT_HOST = `unix://${DEFAULT_SOCKET}`;
const ENGINE_PID = '/var/run/docker.pid';
const CONTAINERD_PID = '/var/run/docker/containerd/containerd.pid';
/** A socket of the system's own containerd, which dockerd uses when the file is there, answered or not. */
const CONTAINERD_SOCKETS = ['/run/containerd/containerd.sock', '/var/run/docker/containerd/containerd.sock'];
const START_TIMEOUT_MS = 60_000;

const runs = (program: string) => (command: readonly string[]) => basename(command[0] ?? '') === program;
const isDockerd = runs('dockerd');

/**
 * Makes sure that a Docker engine answers: the one of DOCKER_HOST or the default socket, otherwise Debian's, installed
 * and started here. Throws one sentence that says what to do.
 */
export async function ensureDockerEngine(say: (text: string) => void = () => {}): Promise<{ host: string }> {
  const named = process.env['DOCKER_HOST'];
  const host = named || DEFAULT_HOST;
  const problem = await problemOf(host);
  if (!problem) return { host };
  if (named) {
    throw new Error(
      `no Docker engine answers at DOCKER_HOST (${host}): start that engine, or unset DOCKER_HOST (${problem.message})`,
    );
  }
  if (problem.code === 'EACCES' || problem.code === 'EPERM') {
    throw new Error(
      `this user may not use the Docker engine at ${DEFAULT_SOCKET}: run this as root or as a member of the group "docker"`,
    );
  }
  await startEngine(host, say);
  return { host };
}

async function problemOf(host: string): Promise<NodeJS.ErrnoException | undefined> {
  try {
    await new DockerApi(host).ping();
    return undefined;
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
}

async function startEngine(host: string, say: (text: string) => void): Promise<void> {
  const answers = async () => (await problemOf(host)) === undefined;
  // One that is just starting needs no second one.
  if (runningPid(ENGINE_PID, isDockerd) && (await until(answers, START_TIMEOUT_MS / 2))) return;
  if (process.getuid?.() !== 0) {
    throw new Error(
      'no Docker engine answers and this is not root: start the engine, set DOCKER_HOST, or run this as root once',
    );
  }
  const program = ['/usr/sbin/dockerd', '/usr/bin/dockerd', '/usr/local/bin/dockerd'];
  if (!program.some((path) => existsSync(path))) {
    const why = whyNoApt();
    if (why)
      throw new Error(`no Docker engine is installed and ${why}: install Docker Engine, then run this again`);
    say("Installing Debian's docker.io (once)...");
    installPackages(['docker.io', 'iptables'], ['docker-cli']);
    // The package may have started it already, where the system has a service manager.
    if (await until(answers, 1_000)) return;
  }
  say('Starting a Docker engine...');
  await removeStale();
  const logBefore = statSync(files.engineLog, { throwIfNoEntry: false })?.size ?? 0;
  const daemon = startDaemon({
    program: program.find((path) => existsSync(path)) ?? 'dockerd',
    args: [],
    logFile: files.engineLog,
    pidFile: files.enginePid,
  });
  const isUp = await until(async () => (await answers()) || daemon.ended(), START_TIMEOUT_MS);
  if (isUp === true) return;
  if (isUp !== undefined) rmSync(files.enginePid, { force: true });
  const outcome = isUp ?? `no answer within ${START_TIMEOUT_MS / 1000} s`;
  throw new Error(
    `dockerd does not start (${outcome}): see what it says (${files.engineLog}) and run this again:\n${complaint(logBefore)}`,
  );
}

/** What dockerd said last that is not for information only. */
function complaint(logBefore: number): string {
  const lines = readFrom(files.engineLog, logBefore).trim().split('\n');
  const found = lines.filter((line) => !/level=(info|debug)/.test(line)).slice(-4);
  return found.length > 0 ? found.join('\n') : lastLines(files.engineLog, logBefore);
}

/** A pid file whose process is gone, or is another program that got its id, would keep dockerd from starting. */
export function isStale(pidFile: string, program: string): boolean {
  return existsSync(pidFile) && runningPid(pidFile, runs(program)) === undefined;
}

/** What an engine that was killed leaves behind. */
async function removeStale(): Promise<void> {
  if (isStale(ENGINE_PID, 'dockerd')) rmSync(ENGINE_PID);
  if (isStale(CONTAINERD_PID, 'containerd')) rmSync(CONTAINERD_PID);
  for (const socket of CONTAINERD_SOCKETS) {
    if (existsSync(socket) && !(await isServed(socket))) rmSync(socket, { force: true });
  }
}

/** Whether a process listens on a socket's file. */
export function isServed(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    connection.once('connect', () => {
      connection.destroy();
      resolve(true);
    });
    connection.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  });
}

/** Stops the engine only if `ensureDockerEngine` started it. Resolves with whether it did. */
export function stopOwnEngine(): Promise<boolean> {
  return stopProcess(files.enginePid, isDockerd, 30_000);
}

/** For those who only want to use one that is there. */
export async function runningEngine(): Promise<{ host: string } | undefined> {
  const host = process.env['DOCKER_HOST'] || DEFAULT_HOST;
  return (await problemOf(host)) ? undefined : { host };
}

if (import.meta.main) {
  try {
    console.log((await ensureDockerEngine(console.log)).host);
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
