import { X509Certificate } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname, join } from 'node:path';
import { connect } from 'node:tls';
import { monotonicMs } from '../monotonic.ts';
import { callEngine } from '../runtime/engine-call.ts';
import type { Identity } from '../state/agent-state.ts';
import type { DeviceFacts, DirectoryFacts, EngineFacts, IdentityFacts, PortFacts } from './checks.ts';

/* Looks at a device, and changes nothing. Each look is bounded in time, and what fails is a fact like any other. */

const TIMEOUT_MS = 5_000;
/** statfs(2): the types of file systems that are in memory. */
const IN_MEMORY = new Set([0x01021994, 0x858458f6]);
/** systemd-timesyncd makes it once the clock is set; who else sets the clock leaves no such mark. */
const SYNCHRONISED = '/run/systemd/timesync/synchronized';

export interface Survey {
  readonly dataDir: string;
  readonly runDir: string;
  readonly dockerHost: string;
  readonly settingsError?: string;
  readonly agent?: DeviceFacts['agent'];
}

export async function surveyDevice(survey: Survey): Promise<DeviceFacts> {
  const { dataDir, runDir, dockerHost, settingsError, agent } = survey;
  const identity = readIdentity(dataDir);
  const host = identity?.hub.host ?? '';
  const [engine, names, ports] = await Promise.all([
    surveyEngine(dockerHost),
    host && !isIP(host) ? resolve(host) : undefined,
    identity ? surveyPorts(identity) : [],
  ]);
  return {
    nowMs: Date.now(),
    isRoot: process.getuid?.() === 0,
    ...(settingsError && { settingsError }),
    dataDir: surveyDirectory(dataDir),
    runDir: surveyDirectory(runDir),
    engine,
    ...(identity && { identity: identityFacts(identity) }),
    ...(existsSync(dirname(SYNCHRONISED)) && { isClockSynchronised: existsSync(SYNCHRONISED) }),
    ...(names && { names }),
    ports,
    ...(agent && { agent }),
  };
}

/** The file beside the database: that belongs to the agent alone while it runs. */
function readIdentity(dataDir: string): Identity | undefined {
  try {
    return JSON.parse(readFileSync(join(dataDir, 'identity.json'), 'utf8')) as Identity;
  } catch {
    return undefined; // not joined, or not to be read by this user, which is told besides
  }
}

function identityFacts({ node, hub, certificate }: Identity): IdentityFacts {
  const { validFromDate, validToDate } = new X509Certificate(certificate);
  return {
    node,
    host: hub.host,
    certificate: { fromMs: validFromDate.getTime(), untilMs: validToDate.getTime() },
  };
}

/** Of one that is yet to be made: of the directory that it would be made in. */
function surveyDirectory(path: string): DirectoryFacts {
  let existing = path;
  while (!existsSync(existing) && existing !== dirname(existing)) existing = dirname(existing);
  try {
    accessSync(existing, constants.W_OK);
    const { type, bavail, blocks, bsize } = statfsSync(existing);
    return { path, isInMemory: IN_MEMORY.has(type), freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  } catch (error) {
    return { path, error: (error as Error).message };
  }
}

async function resolve(host: string): Promise<{ addresses: string[]; error?: string }> {
  try {
    const found = await within(lookup(host, { all: true }));
    return { addresses: found.map(({ address }) => address) };
  } catch (error) {
    return { addresses: [], error: (error as Error).message };
  }
}

function surveyPorts({ hub, caCertificate }: Identity): Promise<PortFacts[]> {
  const ports = [
    ['MQTT', hub.mqttPort],
    ['gRPC', hub.grpcPort],
  ] as const;
  return Promise.all(
    ports.map(async ([name, port]) => {
      const startMs = monotonicMs();
      try {
        await within(greet(hub.host, port, caCertificate));
        return { name, port, ms: monotonicMs() - startMs };
      } catch (error) {
        return { name, port, error: (error as Error).message || 'no connection' };
      }
    }),
  );
}

/** A TLS handshake with who must be the hub that was joined. */
function greet(host: string, port: number, ca: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, ca, ...(isIP(host) ? {} : { servername: host }) });
    const end = setTimeout(
      () => socket.destroy(new Error(`no answer in ${TIMEOUT_MS / 1000} s`)),
      TIMEOUT_MS,
    );
    socket.once('secureConnect', () => {
      clearTimeout(end);
      socket.destroy();
      resolve();
    });
    socket.once('error', (error) => {
      clearTimeout(end);
      reject(error);
    });
  });
}

interface EngineInfo {
  readonly ServerVersion?: string;
  readonly Driver?: string;
  readonly DockerRootDir?: string;
  readonly CgroupVersion?: string;
  readonly MemoryLimit?: boolean;
  readonly PidsLimit?: boolean;
  readonly CpuCfsQuota?: boolean;
}

export async function surveyEngine(host: string): Promise<EngineFacts> {
  try {
    const {
      Version,
      ApiVersion,
      Components = [],
    } = await askEngine<{
      Version: string;
      ApiVersion: string;
      Components?: { Name: string }[];
    }>(host, '/version');
    const info = await askEngine<EngineInfo>(host, '/info');
    return {
      host,
      name: Components[0]?.Name ?? 'engine',
      version: Version,
      apiVersion: ApiVersion,
      hasMemoryLimit: info.MemoryLimit ?? false,
      hasPidsLimit: info.PidsLimit ?? false,
      hasCpuQuota: info.CpuCfsQuota ?? false,
      cgroupVersion: info.CgroupVersion ?? '1',
      storageDriver: info.Driver ?? 'unknown',
      ...(info.DockerRootDir && { rootDir: surveyDirectory(info.DockerRootDir) }),
    };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { host, error: message, ...(code && { code }) };
  }
}

/** One answer of the engine; rejects with why there is none. */
export async function askEngine<T>(host: string, path: string): Promise<T> {
  const { code, text } = await callEngine(host, 'GET', path, { timeoutMs: TIMEOUT_MS });
  if (code !== 200) throw new Error(`it answers ${code}: ${text.trim()}`);
  return JSON.parse(text) as T;
}

async function within<T>(work: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer in ${TIMEOUT_MS / 1000} s`)), TIMEOUT_MS);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
