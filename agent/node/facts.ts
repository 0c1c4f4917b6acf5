import { readFileSync } from 'node:fs';
import { arch, cpus, hostname, networkInterfaces, release, totalmem } from 'node:os';
import type { ContainerImage, NodeCondition, NodeStatus } from 'kubernetes-types/core/v1.d.ts';
import type { EngineInfo } from '../runtime/runtime.ts';
import { hugePages } from './huge-pages.ts';

/** What one must ask other programs for; see slow-facts.ts. */
export interface SlowFacts {
  readonly osImage: string;
  readonly machineId: string;
  readonly systemUuid: string;
  readonly model: string;
  readonly diskBytes: number;
}

export interface NodeFacts {
  readonly node: string;
  readonly hostIp: string;
  readonly agentVersion: string;
  readonly engine: EngineInfo | undefined;
  /** Why the engine does not answer; undefined when it does. */
  readonly engineError: string | undefined;
  readonly slow: SlowFacts | undefined;
  readonly capacity: Readonly<Record<string, string>>;
  /** What of it is for pods. */
  readonly allocatable: Readonly<Record<string, string>>;
  readonly bootId: string;
  /** Undefined while the engine was not asked. */
  readonly images: readonly ContainerImage[] | undefined;
  /** Besides that it is ready. */
  readonly conditions: readonly NodeCondition[];
  /** RFC 3339. */
  readonly now: string;
}

const MAX_PODS = 110; // Kubernetes' default
/** Asked for once: to ask takes a millisecond, and every report of the node needs them. */
const CPU_COUNT = cpus().length;
const HUGE_PAGES = hugePages();

/** What the device says of its Node object: labels, and status. Pure but for what `node:os` knows. */
export function nodeReport(facts: NodeFacts): { labels: Record<string, string>; status: NodeStatus } {
  const { node, hostIp, engine, slow, capacity, allocatable } = facts;
  return {
    labels: {
      'kubernetes.io/arch': goArchitecture(),
      'kubernetes.io/os': 'linux',
      'kubernetes.io/hostname': node,
      ...(slow?.model && { 'node.kubernetes.io/instance-type': labelValue(slow.model) }),
    },
    status: {
      addresses: [
        { type: 'InternalIP', address: hostIp },
        { type: 'Hostname', address: hostname() },
      ],
      capacity,
      allocatable,
      conditions: [readyCondition(facts), ...facts.conditions],
      daemonEndpoints: { kubeletEndpoint: { Port: 0 } }, // it listens nowhere: the hub is asked for logs and the like
      ...(facts.images && { images: [...facts.images] }),
      nodeInfo: {
        architecture: goArchitecture(),
        bootID: facts.bootId,
        containerRuntimeVersion: engine?.version ?? 'docker://unknown',
        kernelVersion: engine?.kernelVersion || release(),
        kubeProxyVersion: '',
        kubeletVersion: facts.agentVersion,
        machineID: slow?.machineId ?? '',
        operatingSystem: 'linux',
        osImage: slow?.osImage ?? engine?.osImage ?? '',
        systemUUID: slow?.systemUuid ?? '',
      },
    },
  };
}

/** What the device has, but for what its owner gives to pods besides. */
export function capacityOf(slow: SlowFacts | undefined): Record<string, string> {
  return {
    cpu: String(CPU_COUNT),
    memory: `${Math.floor(totalmem() / 1024)}Ki`,
    pods: String(MAX_PODS),
    ...HUGE_PAGES,
    ...(slow?.diskBytes && { 'ephemeral-storage': `${Math.floor(slow.diskBytes / 1024)}Ki` }),
  };
}

/** The address by which others in its network reach this device: the first that is not its own. */
export function hostAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
  return addresses.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1';
}

function readyCondition({ engineError, now }: NodeFacts) {
  const ready = engineError === undefined;
  return {
    type: 'Ready',
    status: ready ? 'True' : 'False',
    reason: ready ? 'AgentReady' : 'ContainerEngineDown',
    message: ready ? 'the agent is connected and its container engine answers' : engineError,
    lastHeartbeatTime: now,
    lastTransitionTime: now,
  };
}

/** Another one after each start of the device; empty where the file does not tell. */
export function bootId(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}

/** Of this device, in Kubernetes' words: `amd64`, `arm64`. */
export function goArchitecture(): string {
  return arch() === 'x64' ? 'amd64' : arch();
}

/** Made to fit a label's value. */
function labelValue(text: string): string {
  return text
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .slice(0, 63)
    .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');
}
