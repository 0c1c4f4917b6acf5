import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { parseArgs } from 'node:util';
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

interface Setting {
  readonly flag: string;
  readonly env: string;
  readonly fallback: string;
  readonly help: string;
  readonly check?: (value: string) => string | undefined;
}

const isPort = (value: string) =>
  /^\d+$/.test(value) && Number(value) <= 65_535
    ? undefined
    : 'must be an integer from 0 to 65535 (0: any free port)';
const isCount = (value: string) => (/^[1-9]\d*$/.test(value) ? undefined : 'must be a whole number above 0');
const LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];

const SETTINGS = {
  dataDir: {
    flag: 'data-dir',
    env: 'HOLDFAST_HUB_DATA_DIR',
    fallback: '/var/lib/holdfast/hub',
    help: 'database and keys',
  },
  bind: {
    flag: 'bind-address',
    env: 'HOLDFAST_BIND_ADDRESS',
    fallback: '0.0.0.0',
    help: 'address of all ports',
  },
  apiPort: {
    flag: 'api-port',
    env: 'HOLDFAST_API_PORT',
    fallback: '6443',
    help: 'Kubernetes API',
    check: isPort,
  },
  grpcPort: {
    flag: 'grpc-port',
    env: 'HOLDFAST_GRPC_PORT',
    fallback: '6444',
    help: 'enrolment and link over gRPC',
    check: isPort,
  },
  mqttPort: {
    flag: 'mqtt-port',
    env: 'HOLDFAST_MQTT_PORT',
    fallback: '8883',
    help: 'link over MQTT',
    check: isPort,
  },
  hosts: {
    flag: 'tls-san',
    env: 'HOLDFAST_TLS_SAN',
    fallback: '',
    help: 'more names of the hub, comma-separated, for its certificate',
  },
  kubeconfig: {
    flag: 'write-kubeconfig',
    env: 'HOLDFAST_WRITE_KUBECONFIG',
    fallback: '',
    help: "where to write the administrator's kubeconfig (default: kubeconfig.yaml in the data directory)",
  },
  nodeGraceSeconds: {
    flag: 'node-monitor-grace-period',
    env: 'HOLDFAST_NODE_MONITOR_GRACE_PERIOD',
    fallback: '40',
    help: 'seconds until a disconnected node is NotReady',
    check: isCount,
  },
  serviceAddresses: {
    flag: 'service-cluster-ip-range',
    env: 'HOLDFAST_SERVICE_CLUSTER_IP_RANGE',
    fallback: DEFAULT_ADDRESSES,
    help: "Services' addresses; an IPv6 range after a comma for both families",
    check: addressesProblem,
  },
  nodePorts: {
    flag: 'service-node-port-range',
    env: 'HOLDFAST_SERVICE_NODE_PORT_RANGE',
    fallback: DEFAULT_NODE_PORTS,
    help: "Services' node ports",
    check: nodePortsProblem,
  },
  gateServers: {
    flag: 'gate-servers',
    env: 'HOLDFAST_GATE_SERVERS',
    fallback: '',
    help: 'servers that gates of rollouts may ask, comma-separated: prometheus.example:9090 (by https), http://10.0.0.5:9090',
    check: gateServersProblem,
  },
  logLevel: {
    flag: 'log-level',
    env: 'HOLDFAST_LOG_LEVEL',
    fallback: 'info',
    help: LEVELS.join(', '),
    check: (value) => (LEVELS.includes(value) ? undefined : `must be one of ${LEVELS.join(', ')}`),
  },
  auditLog: {
    flag: 'audit-log-path',
    env: 'HOLDFAST_AUDIT_LOG_PATH',
    fallback: '',
    help: 'file to write a line of JSON to for each request, or - for standard output (default: none)',
  },
} as const satisfies Record<string, Setting>;

/** One line per setting, for `holdfast help`. */
export const HUB_SETTINGS = Object.values(SETTINGS as Record<string, Setting>)
  .map(
    ({ flag, env, fallback, help }) =>
      `  --${flag.padEnd(26)} ${env.padEnd(36)} ${help}${fallback && ` (${fallback})`}`,
  )
  .join('\n');

/** Flags win over the environment. All problems are told at once. Throws. */
export function readHubConfig(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): HubConfig {
  const options = Object.fromEntries(
    Object.values(SETTINGS).map(({ flag }) => [flag, { type: 'string' as const }]),
  );
  const { values } = parseArgs({ args: [...args], options, allowPositionals: false });
  const problems: string[] = [];
  const read = (name: keyof typeof SETTINGS): string => {
    const { flag, env: variable, fallback, check }: Setting = SETTINGS[name];
    const value = (values[flag] as string | undefined) ?? (env[variable] || undefined) ?? fallback;
    const problem = check?.(value);
    if (problem) problems.push(`--${flag} (${variable}) ${problem}, is "${value}"`);
    return value;
  };
  const dataDir = read('dataDir');
  const config: Omit<HubConfig, 'serviceRanges'> = {
    dataDir,
    bind: read('bind'),
    apiPort: Number(read('apiPort')),
    grpcPort: Number(read('grpcPort')),
    mqttPort: Number(read('mqttPort')),
    hosts: read('hosts')
      .split(',')
      .map((host) => host.trim())
      .filter(Boolean),
    kubeconfig: read('kubeconfig') || `${dataDir}/kubeconfig.yaml`,
    nodeGraceSeconds: Number(read('nodeGraceSeconds')),
    gateServers: parseGateServers(read('gateServers')),
    logLevel: read('logLevel'),
    auditLog: read('auditLog'),
  };
  const [addresses, nodePorts] = [read('serviceAddresses'), read('nodePorts')];
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return Object.freeze({ ...config, serviceRanges: parseServiceRanges(addresses, nodePorts) });
}

/** An address by which other machines reach what is bound to `bind`; undefined when this machine has none for them. */
export function advertisedAddress(bind: string): string | undefined {
  const isAny = bind === '0.0.0.0' || bind === '::';
  if (!isAny) return isIP(bind) && bind !== '::1' && !bind.startsWith('127.') ? bind : undefined;
  const found = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return found.find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
}

/** Every name and address that this machine is known by to itself. */
export function ownHosts(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((found) =>
    (found ?? []).map(({ address }) => address),
  );
  // An address with a zone is no address for others.
  const usable = addresses.filter((address) => !address.toLowerCase().startsWith('fe80'));
  return [...new Set(['localhost', '127.0.0.1', hostname(), ...usable])];
}
