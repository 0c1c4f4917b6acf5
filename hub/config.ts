import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { partsOf, readSettings, type Setting } from '../proto/settings/settings.ts';
import { readSettingsFile } from '../proto/settings/settings-file.ts';
import {
  addressesProblem,
  DEFAULT_ADDRESSES,
  DEFAULT_NODE_PORTS,
  nodePortsProblem,
  parseServiceRanges,
  type ServiceRanges,
} from './admission/service-addresses/service-ranges.ts';
import { gateServersProblem, parseGateServers } from './fleet/gate-servers.ts';

/** Everything about a hub that can be set. Frozen. */
export interface HubConfig {
  readonly dataDir: string;
  /** Address that all ports listen on. */
  readonly bind: string;
  readonly apiPort: number;
  readonly grpcPort: number;
  readonly mqttPort: number;
  /** More names and addresses that the hub is reached by. */
  readonly hosts: readonly string[];
  readonly kubeconfig: string;
  readonly nodeGraceSeconds: number;
  /** What Services are given. */
  readonly serviceRanges: ServiceRanges;
  /** Origins of the servers that gates of rollouts may ask. */
  readonly gateServers: ReadonlySet<string>;
  readonly logLevel: string;
  /** File, or `-` for standard output; empty for no audit log. */
  readonly auditLog: string;
}

const isPort = (value: string) =>
  /^\d+$/.test(value) && Number(value) <= 65_535
    ? undefined
    : 'must be an integer from 0 to 65535 (0: any free port)';
const isCount = (value: string) => (/^[1-9]\d*$/.test(value) ? undefined : 'must be a whole number above 0');

/** Each by what the file calls it. */
export const HUB_SETTINGS = {
  dataDir: {
    flag: 'data-dir',
    env: 'HOLDFAST_HUB_DATA_DIR',
    fallback: '/var/lib/holdfast/hub',
    about: 'database and keys',
  },
  bindAddress: {
    flag: 'bind-address',
    env: 'HOLDFAST_BIND_ADDRESS',
    fallback: '0.0.0.0',
    about: 'the address that all ports are opened on',
  },
  apiPort: {
    type: 'integer',
    flag: 'api-port',
    env: 'HOLDFAST_API_PORT',
    fallback: '6443',
    about: 'port of the Kubernetes API',
    check: isPort,
  },
  grpcPort: {
    type: 'integer',
    flag: 'grpc-port',
    env: 'HOLDFAST_GRPC_PORT',
    fallback: '6444',
    about: 'port for enrolment, and the link over gRPC',
    check: isPort,
  },
  mqttPort: {
    type: 'integer',
    flag: 'mqtt-port',
    env: 'HOLDFAST_MQTT_PORT',
    fallback: '8883',
    about: 'port of the link over MQTT',
    check: isPort,
  },
  tlsSan: {
    type: 'list',
    flag: 'tls-san',
    env: 'HOLDFAST_TLS_SAN',
    fallback: '',
    about: 'more names of the hub, for its certificate',
  },
  writeKubeconfig: {
    flag: 'write-kubeconfig',
    env: 'HOLDFAST_WRITE_KUBECONFIG',
    fallback: '',
    about: "where to write the administrator's kubeconfig (kubeconfig.yaml in the data directory)",
  },
  nodeMonitorGracePeriod: {
    type: 'integer',
    flag: 'node-monitor-grace-period',
    env: 'HOLDFAST_NODE_MONITOR_GRACE_PERIOD',
    fallback: '40',
    about: 'seconds until a disconnected node is NotReady',
    check: isCount,
  },
  serviceClusterIpRange: {
    flag: 'service-cluster-ip-range',
    env: 'HOLDFAST_SERVICE_CLUSTER_IP_RANGE',
    fallback: DEFAULT_ADDRESSES,
    about: "Services' addresses; an IPv6 range after a comma for both families",
    check: addressesProblem,
  },
  serviceNodePortRange: {
    flag: 'service-node-port-range',
    env: 'HOLDFAST_SERVICE_NODE_PORT_RANGE',
    fallback: DEFAULT_NODE_PORTS,
    about: "Services' node ports",
    check: nodePortsProblem,
  },
  gateServers: {
    reloads: true,
    type: 'list',
    flag: 'gate-servers',
    env: 'HOLDFAST_GATE_SERVERS',
    fallback: '',
    about: 'servers that gates of rollouts may ask: prometheus.example:9090 (by https), http://10.0.0.5:9090',
    check: gateServersProblem,
  },
  logLevel: {
    reloads: true,
    flag: 'log-level',
    env: 'HOLDFAST_LOG_LEVEL',
    fallback: 'info',
    about: 'how much the log says',
    oneOf: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
  },
  auditLogPath: {
    reloads: true,
    flag: 'audit-log-path',
    env: 'HOLDFAST_AUDIT_LOG_PATH',
    fallback: '',
    about:
      'file to write a line of JSON to for each request, or - for standard output (none); opened anew at SIGHUP',
  },
} as const satisfies Record<string, Setting>;

/** Each of its ports is its own; 0 is any that is free. */
export function hubProblems(
  values: Readonly<Partial<Record<keyof typeof HUB_SETTINGS, string | undefined>>>,
): string[] {
  const ports = (['apiPort', 'grpcPort', 'mqttPort'] as const).filter((name) => Number(values[name]) !== 0);
  return ports.flatMap((name, index) => {
    const same = ports.slice(0, index).find((other) => Number(values[other]) === Number(values[name]));
    return same ? [`${same} and ${name} must be different ports, are both ${values[name]}`] : [];
  });
}

/** Where the settings are, unless `--config` names another file, which then must be there. */
export const CONFIG_FILE = {
  flag: 'config',
  env: 'HOLDFAST_HUB_CONFIG',
  path: '/etc/holdfast/hub.yaml',
} as const;

/** Each setting as a flag would have it. */
export type HubSettings = Readonly<Record<keyof typeof HUB_SETTINGS, string>>;

type Given = Readonly<Record<string, unknown>>;
type Environment = Readonly<Record<string, string | undefined>>;

/** Flags win over the environment, that over the file. All problems are told at once. Rejects. */
export async function readHubSettings(flags: Given, env: Environment): Promise<HubSettings> {
  const named = (flags[CONFIG_FILE.flag] as string | undefined) ?? env[CONFIG_FILE.env];
  const file = await readSettingsFile(named || CONFIG_FILE.path, Boolean(named));
  return readSettings(HUB_SETTINGS, { flags, env, file }, hubProblems) as HubSettings;
}

/** For who must go on when the settings are wrong: what is wrong, and the settings without those of the file, or none. */
export async function readHubSettingsAnyway(
  flags: Given,
  env: Environment,
): Promise<{ settings: HubSettings; problem?: string }> {
  try {
    return { settings: await readHubSettings(flags, env) };
  } catch (error) {
    const problem = (error as Error).message;
    try {
      return { settings: readSettings(HUB_SETTINGS, { flags, env }, hubProblems) as HubSettings, problem };
    } catch {
      return { settings: readSettings(HUB_SETTINGS, { flags: {}, env: {} }) as HubSettings, problem };
    }
  }
}

/** Of settings that have passed their checks. */
export function hubConfigOf(settings: HubSettings): HubConfig {
  const { dataDir } = settings;
  return Object.freeze({
    dataDir,
    bind: settings.bindAddress,
    apiPort: Number(settings.apiPort),
    grpcPort: Number(settings.grpcPort),
    mqttPort: Number(settings.mqttPort),
    hosts: partsOf(settings.tlsSan),
    kubeconfig: settings.writeKubeconfig || `${dataDir}/kubeconfig.yaml`,
    nodeGraceSeconds: Number(settings.nodeMonitorGracePeriod),
    serviceRanges: parseServiceRanges(settings.serviceClusterIpRange, settings.serviceNodePortRange),
    gateServers: parseGateServers(settings.gateServers),
    logLevel: settings.logLevel,
    auditLog: settings.auditLogPath,
  });
}

const isAny = (bind: string): boolean => bind === '0.0.0.0' || bind === '::';

/** An address by which other machines reach what is bound to `bind`; undefined when this machine has none for them. */
export function advertisedAddress(bind: string): string | undefined {
  if (!isAny(bind)) return isIP(bind) && bind !== '::1' && !bind.startsWith('127.') ? bind : undefined;
  const found = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return found.find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
}

/**
 * Every name and address that this machine is known by to itself, and what is bound to `bind` is reached by: of its
 * addresses the one alone where that is one.
 */
export function ownHosts(bind: string): string[] {
  const always = ['localhost', '127.0.0.1', hostname()];
  if (!isAny(bind)) return [...new Set([...always, bind])];
  const addresses = Object.values(networkInterfaces()).flatMap((found) =>
    (found ?? []).map(({ address }) => address),
  );
  // An address with a zone is no address for others.
  const usable = addresses.filter((address) => !address.toLowerCase().startsWith('fe80'));
  return [...new Set([...always, ...usable])];
}
