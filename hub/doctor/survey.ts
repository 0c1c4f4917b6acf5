import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { accessSync, constants, existsSync, readdirSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { createServer, isIP } from 'node:net';
import { totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { connect } from 'node:tls';
import { promisify } from 'node:util';
import { type HubConfig, ownHosts } from '../config.ts';
import type { HubFacts, PortFacts } from './checks.ts';

/* Looks at the machine of a hub, and changes nothing. */

const TIMEOUT_MS = 5_000;
/** systemd-timesyncd makes it once the clock is set; who else sets the clock leaves no such mark. */
const SYNCHRONISED = '/run/systemd/timesync/synchronized';
const OPEN_TO_OTHERS = 0o077;

export async function surveyHub(config: HubConfig, settingsError?: string): Promise<HubFacts> {
  const ca = readCa(config.dataDir);
  const seen = await Promise.all(
    portsOf(config).map(([name, port]) => surveyPort(name, port, config.bind, ca)),
  );
  const certificate = seen.find(({ facts }) => facts.name === 'API')?.certificate;
  const gitVersion = await git();
  return {
    nowMs: Date.now(),
    ...(settingsError && { settingsError }),
    dataDir: surveyDataDir(config.dataDir),
    ...(ca && { ca: validity(ca) }),
    ports: seen.map(({ facts }) => facts),
    missingNames: certificate
      ? [...ownHosts(config.bind), ...config.hosts].filter((host) => !has(certificate, host))
      : [],
    ...(existsSync(dirname(SYNCHRONISED)) && { isClockSynchronised: existsSync(SYNCHRONISED) }),
    ...(gitVersion && { gitVersion }),
    openFiles: openFiles(),
    memoryBytes: Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY),
  };
}

const portsOf = ({ apiPort, grpcPort, mqttPort }: HubConfig) =>
  [
    ['API', apiPort],
    ['gRPC', grpcPort],
    ['MQTT', mqttPort],
  ] as const;

function readCa(dataDir: string): X509Certificate | undefined {
  try {
    const { certificate } = JSON.parse(readFileSync(join(dataDir, 'ca.json'), 'utf8')) as {
      certificate: string;
    };
    return new X509Certificate(certificate);
  } catch {
    return undefined; // none yet, or not to be read by this user, which is told besides
  }
}

function validity({ validFromDate, validToDate }: X509Certificate): { fromMs: number; untilMs: number } {
  return { fromMs: validFromDate.getTime(), untilMs: validToDate.getTime() };
}

function has(certificate: X509Certificate, host: string): boolean {
  return (isIP(host) ? certificate.checkIP(host) : certificate.checkHost(host)) !== undefined;
}

/** Of one that is yet to be made: of the directory that it would be made in. */
function surveyDataDir(path: string): HubFacts['dataDir'] {
  let existing = path;
  while (!existsSync(existing) && existing !== dirname(existing)) existing = dirname(existing);
  try {
    accessSync(existing, constants.W_OK | constants.X_OK);
    const { bavail, blocks, bsize } = statfsSync(existing);
    const files = existing === path ? readdirSync(path).map((name) => join(path, name)) : [];
    const exposed = files.filter((file) => statSync(file).isFile() && statSync(file).mode & OPEN_TO_OTHERS);
    return { path, freeBytes: bavail * bsize, totalBytes: blocks * bsize, exposed };
  } catch (error) {
    return { path, error: (error as Error).message, exposed: [] };
  }
}

interface SeenPort {
  readonly facts: PortFacts;
  /** What the hub showed there. */
  readonly certificate?: X509Certificate;
}

async function surveyPort(
  name: PortFacts['name'],
  port: number,
  bind: string,
  ca: X509Certificate | undefined,
): Promise<SeenPort> {
  const host = bind === '0.0.0.0' || bind === '::' ? '127.0.0.1' : bind;
  try {
    const certificate = await greet(host, port);
    if (ca && certificate.checkIssued(ca) && certificate.verify(ca.publicKey))
      return { facts: { name, port, holder: 'hub' }, certificate };
    const error = 'it shows the certificate of another hub';
    return { facts: { name, port, holder: 'stranger', error } };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ECONNREFUSED') return { facts: { name, port, holder: 'stranger', error: message } };
    return { facts: { name, port, ...(await whyNotOpened(host, port)) } };
  }
}

/** Whose certificate it is, is for the caller to say: strangers are to be told from nobody. */
function greet(host: string, port: number): Promise<X509Certificate> {
  const { promise, resolve, reject } = Promise.withResolvers<X509Certificate>();
  const socket = connect({ host, port, rejectUnauthorized: false }, () => {
    const certificate = socket.getPeerX509Certificate();
    socket.destroy();
    if (certificate) resolve(certificate);
    else reject(new Error('it shows no certificate'));
  });
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`it is silent for ${TIMEOUT_MS / 1000} s`)));
  socket.once('error', reject);
  return promise;
}

function whyNotOpened(host: string, port: number): Promise<Pick<PortFacts, 'holder' | 'error'>> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', ({ message }) => resolve({ holder: 'forbidden', error: message }));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve({ holder: 'free' })));
  });
}

async function git(): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)('git', ['--version'], { timeout: TIMEOUT_MS });
    return stdout.trim();
  } catch {
    return undefined;
  }
}

function openFiles(): number {
  const [, most = '0'] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  return Number(most);
}
