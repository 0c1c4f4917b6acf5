import { type Finding, ok, problem, warning } from '../../proto/diagnosis.ts';
import { timeText } from '../time-text.ts';

/* What is known of a device, and what is to be said of it. Pure: survey.ts is what looks. */

/** A directory of the agent's. */
export interface DirectoryFacts {
  readonly path: string;
  /** Why it can not be written to. */
  readonly error?: string;
  /** Whether what is in it is gone when the device is switched off. */
  readonly isInMemory?: boolean;
  readonly freeBytes?: number;
  readonly totalBytes?: number;
}

export interface EngineFacts {
  readonly host: string;
  readonly error?: string;
  readonly code?: string;
  readonly name?: string;
  readonly version?: string;
  readonly apiVersion?: string;
  readonly hasMemoryLimit?: boolean;
  readonly hasPidsLimit?: boolean;
  readonly hasCpuQuota?: boolean;
  readonly cgroupVersion?: string;
  readonly storageDriver?: string;
  readonly rootDir?: DirectoryFacts;
}

export interface IdentityFacts {
  readonly node: string;
  readonly host: string;
  readonly certificate: { readonly fromMs: number; readonly untilMs: number };
}

/** Whether one of the hub's ports answers as the hub that the device joined. */
export interface PortFacts {
  readonly name: 'MQTT' | 'gRPC';
  readonly port: number;
  readonly ms?: number;
  readonly error?: string;
}

export interface DeviceFacts {
  readonly nowMs: number;
  readonly isRoot: boolean;
  /** What is wrong with the settings. */
  readonly settingsError?: string;
  readonly dataDir: DirectoryFacts;
  readonly runDir: DirectoryFacts;
  readonly engine: EngineFacts;
  /** Undefined: not joined. */
  readonly identity?: IdentityFacts;
  /** Undefined: nothing tells. */
  readonly isClockSynchronised?: boolean;
  /** Addresses of the hub's name; undefined when it is an address itself. */
  readonly names?: { readonly addresses: readonly string[]; readonly error?: string };
  readonly ports: readonly PortFacts[];
  /** What the running agent says; undefined when none runs. */
  readonly agent?: { readonly connected: boolean; readonly transport?: string; readonly error?: string };
}

const MIB = 1024 * 1024;
const LEAST_FREE_BYTES = 100 * MIB;
const LEAST_FREE_SHARE = 0.05;
const OLDEST_API = [1, 41] as const; // Docker Engine 20.10, Podman 4
const SOON_MS = 30 * 86_400_000;

export function checkDevice(facts: DeviceFacts): Finding[] {
  return [
    settings(facts),
    user(facts),
    directory('data', facts.dataDir),
    runDirectory(facts.runDir),
    ...engineFindings(facts.engine),
    clock(facts),
    ...(facts.identity ? hub(facts, facts.identity) : [NOT_JOINED]),
    agent(facts),
  ];
}

const NOT_JOINED = problem(
  'hub',
  'this device has not joined a hub',
  'make a token with "holdfast token create" at the hub, then "holdfast-agent join --hub HOST --token-file FILE"',
);

function settings({ settingsError }: DeviceFacts): Finding {
  return settingsError
    ? problem('settings', settingsError, 'correct them; "holdfast-agent config check" looks again')
    : ok('settings', 'right');
}

function user({ isRoot }: DeviceFacts): Finding {
  return isRoot
    ? ok('user', 'root')
    : warning(
        'user',
        'not root',
        'run this as root: what is told here is what this user sees, not what the agent sees',
      );
}

function directory(check: string, { path, error, freeBytes = 0, totalBytes = 0 }: DirectoryFacts): Finding {
  if (error)
    return problem(
      check,
      `"${path}" can not be written to: ${error}`,
      'see whose it is, and mount it to be written',
    );
  const room = `${mebibytes(freeBytes)} free of ${mebibytes(totalBytes)}`;
  const isFull = freeBytes < LEAST_FREE_BYTES || freeBytes < totalBytes * LEAST_FREE_SHARE;
  return isFull
    ? problem(check, `"${path}" has ${room}`, 'make room: unused images go with "docker image prune"')
    : ok(check, `"${path}" has ${room}`);
}

function runDirectory({ path, error, isInMemory }: DirectoryFacts): Finding {
  if (error) return problem('run', `"${path}" can not be written to: ${error}`, 'see whose it is');
  return isInMemory
    ? ok('run', `"${path}" is in memory`)
    : warning('run', `"${path}" is on a disk`, 'mount a tmpfs there: Secrets of pods are written to it');
}

export function engineFindings(facts: EngineFacts): Finding[] {
  const { host, error, code, name, version, apiVersion = '0', rootDir } = facts;
  if (error) return [problem('engine', `${host}: ${error}`, engineAdvice(code))];
  const told = `${name} ${version} (API ${apiVersion}, ${facts.storageDriver}) on ${host}`;
  if (isOlder(apiVersion))
    return [problem('engine', told, 'Docker Engine 20.10 or Podman 4 is needed, or later: upgrade it')];
  return [ok('engine', told), limits(facts), ...(rootDir ? [directory('images', rootDir)] : [])];
}

function engineAdvice(code: string | undefined): string {
  if (code === 'ENOENT')
    return 'install an engine ("apt-get install docker.io"), or say where its socket is: --docker-host';
  if (code === 'EACCES') return 'run the agent as root, or as a member of the group that may use the socket';
  return 'start it ("systemctl start docker"), and see what its log says';
}

function isOlder(apiVersion: string): boolean {
  const [major = 0, minor = 0] = apiVersion.split('.').map(Number);
  return major < OLDEST_API[0] || (major === OLDEST_API[0] && minor < OLDEST_API[1]);
}

function limits({ hasMemoryLimit, hasCpuQuota, hasPidsLimit, cgroupVersion }: EngineFacts): Finding {
  const missing = [
    hasMemoryLimit ? undefined : 'memory',
    hasCpuQuota ? undefined : 'CPU',
    hasPidsLimit ? undefined : 'processes',
  ].filter(Boolean);
  if (missing.length === 0) return ok('limits', `cgroup v${cgroupVersion}: memory, CPU and processes`);
  return warning(
    'limits',
    `the kernel limits no ${missing.join(', no ')} of containers`,
    hasMemoryLimit
      ? 'limits of pods for these are not kept: another kernel may have them'
      : 'limits of pods for these are not kept: add "cgroup_enable=memory cgroup_memory=1" to the kernel\'s command line',
  );
}

function clock({ nowMs, isClockSynchronised, identity }: DeviceFacts): Finding {
  const now = timeText(nowMs);
  if (identity && nowMs < identity.certificate.fromMs)
    return problem(
      'clock',
      `it is ${now} here, before this device joined its hub`,
      'set it ("date -s", or a time server): TLS trusts nobody with a clock that is wrong',
    );
  if (isClockSynchronised === false)
    return warning(
      'clock',
      `${now}, and no time server sets it`,
      'start one: systemd-timesyncd, chrony, ntpd',
    );
  return ok('clock', `${now}${isClockSynchronised ? ', set by a time server' : ''}`);
}

function hub(facts: DeviceFacts, { node, host, certificate }: IdentityFacts): Finding[] {
  const { names, ports, nowMs } = facts;
  const joined =
    certificate.untilMs < nowMs + SOON_MS
      ? problem(
          'identity',
          `the certificate of "${node}" is good until ${new Date(certificate.untilMs).toISOString()}`,
          'join anew: "holdfast node replace" at the hub',
        )
      : ok('identity', `"${node}" of the hub at ${host}`);
  if (names?.error)
    return [
      joined,
      problem('names', `"${host}" is not found: ${names.error}`, 'see /etc/resolv.conf and the network'),
    ];
  const found = names ? [ok('names', `"${host}" is ${names.addresses.join(', ')}`)] : [];
  return [joined, ...found, ...ports.map((port) => portFinding(host, port, ports))];
}

/** One of the two is enough. */
function portFinding(host: string, { name, port, ms, error }: PortFacts, all: readonly PortFacts[]): Finding {
  const where = `${host}:${port}`;
  if (!error) return ok(name, `${where} answers within ${Math.round(ms ?? 0)} ms`);
  const other = all.find((each) => each.name !== name && !each.error);
  return other
    ? warning(
        name,
        `${where}: ${error}`,
        `the link goes over ${other.name} meanwhile; open the port to have both`,
      )
    : problem(name, `${where}: ${error}`, 'see whether the hub runs, and what firewalls on the way let out');
}

function agent({ agent: running, identity }: DeviceFacts): Finding {
  if (!running) {
    const advice = identity
      ? 'start it: "systemctl start holdfast-agent"'
      : 'it starts once the device has joined';
    return warning('agent', 'it does not run', advice);
  }
  if (running.connected) return ok('agent', `connected over ${running.transport}`);
  const why = running.error ? `: ${running.error}` : '';
  return warning('agent', `not connected${why}`, 'pods run on; what is told above says why it may be');
}

const mebibytes = (bytes: number) => `${Math.floor(bytes / MIB)} MiB`;
