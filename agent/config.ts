import { parseArgs } from 'node:util';
import { engineAddressProblem } from '../proto/engine-address.ts';
import { partsOf, readSettings, type Setting } from '../proto/settings/settings.ts';
import { readSettingsFile } from '../proto/settings/settings-file.ts';
import type { EvictionSettings } from './eviction/eviction.ts';
import { parseThresholds, thresholdsProblem } from './eviction/thresholds.ts';
import { parseSubnet } from './network/subnet.ts';
import type { GuardRails } from './pod/guard-rails.ts';
import { devicesProblem } from './resources/device-sources.ts';
import { reserveProblem } from './resources/reserve.ts';

/** Everything that can be set. Frozen. */
export interface Config {
  readonly dataDir: string;
  readonly runDir: string;
  /** The name to join under, by default the host's. Once joined, the identity has it. */
  readonly nodeName: string | undefined;
  /** `host` or `host:port` of the hub's gRPC port; only to join. */
  readonly hub: string | undefined;
  readonly token: string | undefined;
  readonly tokenFile: string | undefined;
  /** What a device joins with that has no identity yet. */
  readonly joinFile: string;
  readonly transport: 'auto' | 'mqtt' | 'grpc';
  readonly dockerHost: string;
  /** Which addresses pods have here, such as 10.42.0.0/24. Absent: as the engine chooses. */
  readonly podSubnet: string | undefined;
  /** Who is asked for images first. */
  readonly registry: 'engine' | 'hub';
  /** Who downloads them from the registries that they name. */
  readonly imagePuller: 'agent' | 'engine';
  /** How many are downloaded at once. */
  readonly maxParallelImagePulls: string;
  /** When images that nobody needs are removed: from so many percent of the disk, down to so many, and none that is younger. */
  readonly imageGCHighThresholdPercent: string;
  readonly imageGCLowThresholdPercent: string;
  readonly imageMinimumGCAge: string;
  /** Directories with images, with commas. Absent: `import` of the data directory. */
  readonly imagePaths: string | undefined;
  /** Where layers are given to other devices of the site. Absent: they are not. */
  readonly peerPort: string | undefined;
  /** Directories with bundles, with commas. Absent: none is imported by itself. */
  readonly bundlePaths: string | undefined;
  /** Device nodes, CDI names and GPUs for pods, by resource. Absent: none. */
  readonly devices: string | undefined;
  /** What is not for pods, by resource. */
  readonly systemReserved: string;
  /** How many processes a container may have. Absent: any number. */
  readonly podPidsLimit: string | undefined;
  /** When pods are ended for want of something, and how long that is told after it was last so. */
  readonly evictionHard: string;
  readonly evictionPressureTransitionPeriod: string;
  readonly allowPrivileged: 'true' | 'false';
  readonly allowHostNetwork: 'true' | 'false';
  /** Lists, with commas. Absent: all are. */
  readonly allowedHostPaths: string | undefined;
  readonly allowedDevices: string | undefined;
  readonly allowedRegistries: string | undefined;
  readonly allowedUnsafeSysctls: string | undefined;
  readonly requireDigest: 'true' | 'false';
  readonly logLevel: string;
  readonly output: 'text' | 'json';
  /** What starts this device anew when the hub asks for that: JSON of a program and its arguments. Absent: nobody may. */
  readonly rebootCommand: string | undefined;
  /** Its text is another one after each start of the device. */
  readonly bootIdFile: string;
  /** Manifests of pods of the device's own; empty: there are none. */
  readonly staticPodPath: string;
}

const NODE_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

function percentProblem(value: string): string | undefined {
  return /^(\d{1,2}|100)$/.test(value) ? undefined : 'must be an integer from 0 to 100';
}

function durationProblem(value: string): string | undefined {
  return /^\d{1,6}[smh]$/.test(value) ? undefined : 'must be a number of s, m or h, as 2m';
}

/** Each is a field of `Config`, and what the file calls it. */
export const SETTINGS = {
  dataDir: {
    flag: 'data-dir',
    env: 'HOLDFAST_AGENT_DATA_DIR',
    fallback: '/var/lib/holdfast/agent',
    about: "what the device must not forget: identity, desired state, pods' volumes",
  },
  runDir: {
    flag: 'run-dir',
    env: 'HOLDFAST_AGENT_RUN_DIR',
    fallback: '/run/holdfast/agent',
    about: 'local sockets and Secrets; on a tmpfs, so that they never reach the disk',
  },
  nodeName: {
    flag: 'node-name',
    env: 'HOLDFAST_NODE_NAME',
    about: "the name to join under (the host's); one that differs from the joined one is refused",
    check: (value) =>
      NODE_NAME.test(value) && value.length <= 253
        ? undefined
        : 'must be a DNS subdomain: lower-case letters, digits, "-" and "."',
  },
  hub: {
    flag: 'hub',
    env: 'HOLDFAST_HUB',
    about: "HOST or HOST:PORT of the hub's gRPC port (6444); needed to join",
  },
  token: {
    flag: 'token',
    env: 'HOLDFAST_TOKEN',
    about: 'the join token; better in a file, as others can see the arguments of a process',
  },
  tokenFile: { flag: 'token-file', env: 'HOLDFAST_TOKEN_FILE', about: 'the file that holds the join token' },
  joinFile: {
    flag: 'join-file',
    env: 'HOLDFAST_JOIN_FILE',
    fallback: '/etc/holdfast/join.yaml',
    about: 'hub, token, nodeName and transport for a device that has not joined yet; removed once it has',
  },
  transport: {
    flag: 'transport',
    env: 'HOLDFAST_TRANSPORT',
    fallback: 'auto',
    oneOf: ['auto', 'mqtt', 'grpc'],
    about: 'how to reach the hub; auto prefers MQTT and tries gRPC where that is closed',
  },
  dockerHost: {
    flag: 'docker-host',
    env: 'DOCKER_HOST',
    fallback: 'unix:///var/run/docker.sock',
    about: "the engine's socket; Podman's works as well",
    check: engineAddressProblem,
  },
  podSubnet: {
    flag: 'pod-subnet',
    env: 'HOLDFAST_POD_SUBNET',
    about:
      "addresses for this device's pods, as 10.42.0.0/24, that nothing else here uses (the engine's choice)",
    check: (value) =>
      parseSubnet(value) ? undefined : 'must be an IPv4 network with its length, of at most 30 bits',
  },
  registry: {
    flag: 'registry',
    env: 'HOLDFAST_REGISTRY',
    fallback: 'engine',
    oneOf: ['engine', 'hub'],
    about: "where images come from: the registries that they name; or the hub's own store first",
  },
  imagePuller: {
    flag: 'image-puller',
    env: 'HOLDFAST_IMAGE_PULLER',
    fallback: 'agent',
    oneOf: ['agent', 'engine'],
    about:
      'who downloads images: the agent, which goes on where it was cut off, wherever the engine has no settings of its own for the registry; or always the engine',
  },
  maxParallelImagePulls: {
    flag: 'max-parallel-image-pulls',
    env: 'HOLDFAST_MAX_PARALLEL_IMAGE_PULLS',
    type: 'integer',
    fallback: '2',
    about: 'how many images are downloaded at once',
    check: (value) => (/^[1-9]\d?$/.test(value) ? undefined : 'must be an integer from 1 to 99'),
  },
  imageGCHighThresholdPercent: {
    flag: 'image-gc-high-threshold-percent',
    env: 'HOLDFAST_IMAGE_GC_HIGH_THRESHOLD_PERCENT',
    type: 'integer',
    fallback: '85',
    about:
      "how full the engine's disk must be for images to be removed that nobody needs; 100 only when one does not fit",
    check: percentProblem,
  },
  imageGCLowThresholdPercent: {
    flag: 'image-gc-low-threshold-percent',
    env: 'HOLDFAST_IMAGE_GC_LOW_THRESHOLD_PERCENT',
    type: 'integer',
    fallback: '80',
    about: 'how full it may be after that; at most the other',
    check: percentProblem,
  },
  imageMinimumGCAge: {
    flag: 'image-minimum-gc-age',
    env: 'HOLDFAST_IMAGE_MINIMUM_GC_AGE',
    fallback: '2m',
    about: 'how long an image is there at least before it is removed, as 30s, 2m or 12h',
    check: durationProblem,
  },
  imagePaths: {
    flag: 'image-paths',
    env: 'HOLDFAST_IMAGE_PATHS',
    type: 'list',
    about:
      'directories from which images are imported by themselves, of files .tar, .tar.gz and .tar.zst (import in the data directory)',
    check: (value) =>
      value.split(',').every((path) => path.startsWith('/')) ? undefined : 'must be absolute paths',
  },
  peerPort: {
    flag: 'peer-port',
    env: 'HOLDFAST_PEER_PORT',
    type: 'integer',
    about:
      'with "registry: hub": a port on which layers are given to other devices of the site, and so had from them first',
    check: (value) =>
      /^[1-9]\d*$/.test(value) && Number(value) <= 65_535 ? undefined : 'must be an integer from 1 to 65535',
  },
  bundlePaths: {
    flag: 'bundle-paths',
    env: 'HOLDFAST_BUNDLE_PATHS',
    type: 'list',
    about: 'directories, as mount points of sticks, from which bundles of the hub are imported by themselves',
    check: (value) =>
      value.split(',').every((path) => path.startsWith('/')) ? undefined : 'must be absolute paths',
  },
  devices: {
    flag: 'devices',
    env: 'HOLDFAST_DEVICES',
    type: 'map',
    about:
      'resources that pods can ask for, and what each is of: nodes (/dev/video*), several that are one device (/dev/video0+/dev/media0), CDI names (vendor.com/class=name), or "gpus" (none)',
    check: devicesProblem,
  },
  systemReserved: {
    flag: 'system-reserved',
    env: 'HOLDFAST_SYSTEM_RESERVED',
    type: 'map',
    fallback: 'cpu=100m,memory=64Mi',
    about: 'what of cpu, memory, ephemeral-storage and pid is not for pods',
    check: reserveProblem,
  },
  podPidsLimit: {
    flag: 'pod-pids-limit',
    env: 'HOLDFAST_POD_PIDS_LIMIT',
    type: 'integer',
    about: 'how many processes each container may have, threads among them (any number)',
    check: (value) => (/^[1-9]\d{0,8}$/.test(value) ? undefined : 'must be a positive integer'),
  },
  evictionHard: {
    flag: 'eviction-hard',
    env: 'HOLDFAST_EVICTION_HARD',
    type: 'map',
    fallback:
      'memory.available<32Mi,nodefs.available<10%,nodefs.inodesFree<5%,imagefs.available<15%,imagefs.inodesFree<5%,pid.available<5%',
    about: 'below which of these pods are ended, quantities or percentages; replaces all; empty: never',
    check: thresholdsProblem,
    reloads: true,
  },
  evictionPressureTransitionPeriod: {
    flag: 'eviction-pressure-transition-period',
    env: 'HOLDFAST_EVICTION_PRESSURE_TRANSITION_PERIOD',
    fallback: '5m',
    about: 'how long the Node tells of a pressure after it was last there, as 30s, 5m or 1h',
    check: durationProblem,
    reloads: true,
  },
  allowPrivileged: {
    flag: 'allow-privileged',
    env: 'HOLDFAST_ALLOW_PRIVILEGED',
    type: 'boolean',
    fallback: 'true',
    about:
      "whether pods may be privileged, have capabilities that come to the same, or see the device's processes and shared memory (hostPID, hostIPC)",
    reloads: true,
  },
  allowHostNetwork: {
    flag: 'allow-host-network',
    env: 'HOLDFAST_ALLOW_HOST_NETWORK',
    type: 'boolean',
    fallback: 'true',
    about: "whether pods may be on the device's own network (hostNetwork)",
    reloads: true,
  },
  allowedHostPaths: {
    flag: 'allowed-host-paths',
    env: 'HOLDFAST_ALLOWED_HOST_PATHS',
    type: 'list',
    about:
      'directories of the device of which pods may mount what is in them; an empty list allows none (all)',
    check: (value) =>
      partsOf(value).every((path) => path.startsWith('/')) ? undefined : 'must be absolute paths',
    reloads: true,
  },
  allowedDevices: {
    flag: 'allowed-devices',
    env: 'HOLDFAST_ALLOWED_DEVICES',
    type: 'list',
    about:
      'resources (holdfast.dev/camera) and device nodes (/dev/video*) that pods may have; an empty list allows none (all)',
    reloads: true,
  },
  allowedRegistries: {
    flag: 'allowed-registries',
    env: 'HOLDFAST_ALLOWED_REGISTRIES',
    type: 'list',
    about: 'registries, or parts of them as registry.example/team, from which images may run here (all)',
    reloads: true,
  },
  allowedUnsafeSysctls: {
    flag: 'allowed-unsafe-sysctls',
    env: 'HOLDFAST_ALLOWED_UNSAFE_SYSCTLS',
    type: 'list',
    about:
      'sysctls that pods may set beside those that Kubernetes calls safe, as net.core.somaxconn or net.*',
    reloads: true,
  },
  requireDigest: {
    flag: 'require-digest',
    env: 'HOLDFAST_REQUIRE_DIGEST',
    type: 'boolean',
    fallback: 'false',
    about: 'whether images must be named with their digest (name@sha256:...)',
    reloads: true,
  },
  logLevel: {
    flag: 'log-level',
    env: 'HOLDFAST_LOG_LEVEL',
    fallback: 'info',
    oneOf: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    about: 'how much the log says',
    reloads: true,
  },
  output: {
    flag: 'output',
    env: 'HOLDFAST_OUTPUT',
    fallback: 'text',
    oneOf: ['text', 'json'],
    about: 'the form of what a command prints',
    isOfCommands: true,
  },
  rebootCommand: {
    flag: 'reboot-command',
    env: 'HOLDFAST_REBOOT_COMMAND',
    type: 'words',
    about: 'what starts this device anew when the hub asks for that, without a shell (nobody may)',
    check: (value) => (JSON.parse(value)[0] === '' ? 'must begin with a program' : undefined),
  },
  bootIdFile: {
    flag: 'boot-id-file',
    env: 'HOLDFAST_BOOT_ID_FILE',
    fallback: '/proc/sys/kernel/random/boot_id',
    about: 'its text is another one after each start of the device',
  },
  staticPodPath: {
    flag: 'static-pod-path',
    env: 'HOLDFAST_STATIC_POD_PATH',
    fallback: '/etc/holdfast/manifests',
    about: 'a directory of manifests of pods that the device runs by itself, also without a hub',
    check: (value) => (value.startsWith('/') ? undefined : 'must be an absolute path'),
  },
} as const satisfies Record<keyof Config, Setting>;

/** Where the settings are, unless `--config` names another file, which then must be there. */
export const CONFIG_FILE = {
  flag: 'config',
  env: 'HOLDFAST_AGENT_CONFIG',
  path: '/etc/holdfast/agent.yaml',
} as const;

/** What a command was told besides its settings. */
export interface Words {
  readonly words: readonly string[];
  readonly values: Readonly<Record<string, string | undefined>>;
}

/** `flags`: those that a command has besides its settings; only a command that has such flags, or none, takes words. Throws. */
export function readWords(args: readonly string[], flags?: readonly string[]): Words {
  const settings = Object.values(SETTINGS).map(({ flag }) => flag);
  const known = [...settings, CONFIG_FILE.flag, ...(flags ?? [])];
  const options = Object.fromEntries(known.map((flag) => [flag, { type: 'string' as const }]));
  const { values, positionals } = parseArgs({
    args: [...args],
    options,
    allowPositionals: flags !== undefined,
  });
  return { words: positionals, values: values as Words['values'] };
}

/** Flags win over the environment, that over the file. All problems are told at once. Rejects. */
export async function readConfig(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  flags?: readonly string[],
): Promise<Config> {
  const { values } = readWords(args, flags);
  const named = values[CONFIG_FILE.flag] ?? env[CONFIG_FILE.env];
  const file = await readSettingsFile(named || CONFIG_FILE.path, Boolean(named));
  return Object.freeze(readSettings(SETTINGS, { flags: values, env, file })) as Config;
}

/** For who must go on when the settings are wrong: what is wrong, and the settings without those of the file, or none. */
export async function readConfigAnyway(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<{ config: Config; problem?: string }> {
  try {
    return { config: await readConfig(args, env, []) };
  } catch (error) {
    const problem = (error as Error).message;
    const read = (flags: object, from: typeof env) =>
      Object.freeze(readSettings(SETTINGS, { flags: { ...flags }, env: from })) as Config;
    try {
      return { config: read(readWords(args, []).values, env), problem };
    } catch {
      return { config: read({}, {}), problem };
    }
  }
}

/** What the device's owner lets pods do. */
export function guardRailsOf(config: Config): GuardRails {
  const list = (value: string | undefined) => (value === undefined ? undefined : partsOf(value));
  return {
    allowPrivileged: config.allowPrivileged === 'true',
    allowHostNetwork: config.allowHostNetwork === 'true',
    allowedHostPaths: list(config.allowedHostPaths),
    allowedDevices: list(config.allowedDevices),
    allowedRegistries: list(config.allowedRegistries),
    allowedUnsafeSysctls: list(config.allowedUnsafeSysctls) ?? [],
    requireDigest: config.requireDigest === 'true',
  };
}

const MS = { s: 1000, m: 60_000, h: 3_600_000 } as const;

/** Of a duration as settings have it. */
export function durationMs(text: string): number {
  return Number.parseInt(text, 10) * MS[text.at(-1) as keyof typeof MS];
}

/** When pods are ended for want of something. */
export function evictionOf(config: Config): EvictionSettings {
  return {
    thresholds: parseThresholds(config.evictionHard),
    transitionMs: durationMs(config.evictionPressureTransitionPeriod),
  };
}
