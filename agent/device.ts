import type { Config } from './config.ts';
import { signalReader } from './eviction/readings.ts';
import type { Readings } from './eviction/thresholds.ts';
import type { Link } from './link/link.ts';
import { type LocalApi, serveLocally } from './local/server.ts';
import { monotonicMs } from './monotonic.ts';
import { PodNetwork } from './network/pod-network.ts';
import { bootId, hostAddress, type SlowFacts } from './node/facts.ts';
import { lowestOomScore } from './node/oom-score.ts';
import type { Reboot } from './node/reboot.ts';
import { slowFacts } from './node/slow-facts.ts';
import { DockerRuntime } from './runtime/docker-runtime.ts';
import { networksDirectory } from './runtime/network-name.ts';
import type { Runtime } from './runtime/runtime.ts';
import type { Identity } from './state/agent-state.ts';
import type { Installation } from './update/installation.ts';
import { agentVersion } from './version.ts';

/** What an agent has around it. The fleet simulator puts devices of its own making here. */
export interface Device {
  readonly runtime: Runtime;
  /** Where pods have their addresses; undefined where the engine gives each container what it likes. */
  readonly network: PodNetwork | undefined;
  /** Ways to the hub, the preferred one first. */
  readonly links: readonly (() => Promise<Link>)[];
  readonly hostIp: string;
  /** Another one after each start of the device; empty when that is not known. */
  readonly bootId: string;
  /** Starts it anew; undefined when its owner does not let the hub do that. */
  readonly reboot: Reboot | undefined;
  /** Where versions of the agent are; undefined where it cannot update itself. */
  readonly installation: Installation | undefined;
  /** Ends the agent, which is then started anew. */
  readonly end: () => void;
  /** The device's clock: milliseconds since the epoch, right or wrong. */
  readonly now: () => number;
  /** What takes a while to find out. */
  readonly facts: () => Promise<SlowFacts>;
  /** What of it is free; undefined where nobody should look. */
  readonly readings: (() => Promise<Readings>) | undefined;
  /** Answers programs on the device, until the function that it resolves with is called. */
  readonly serve: (local: LocalApi) => Promise<() => void>;
}

/** The machine that this process runs on, with its container engine. */
export function thisDevice(
  config: Config,
  identity: Identity,
  { installation, end }: Pick<Device, 'installation' | 'end'>,
): Device {
  const command = config.rebootCommand;
  const { node } = identity;
  const runtime = new DockerRuntime({
    ...{ host: config.dockerHost, node, monotonicMs, lowestOomScore: lowestOomScore() },
    networksDir: networksDirectory(config.runDir),
    pullFirst: async (image, { secrets, onProgress }) => {
      const from = pullSources(config);
      if (from.length === 0) return { isHad: false };
      const { pullInProcess } = await import('./images/pull-process.ts');
      return pullInProcess({ image, from, secrets }, config, onProgress);
    },
    credentials: async (image, secrets) =>
      (await import('./images/engine-credentials.ts')).engineCredentials(image, secrets, config.dockerHost),
  });
  return {
    runtime,
    network: new PodNetwork({ node, maker: runtime, subnet: config.podSubnet }),
    links: linksOf(config.transport, identity),
    hostIp: hostAddress(),
    bootId: bootId(config.bootIdFile),
    reboot:
      command === undefined
        ? undefined
        : async () =>
            (await import('./node/reboot-command.ts')).runRebootCommand(JSON.parse(command) as string[]),
    installation,
    end,
    now: Date.now,
    facts: () => slowFacts(config.dataDir, agentVersion()),
    readings: signalReader(config.dataDir, async () => (await runtime.disk())?.path),
    serve: (local) => serveLocally(config.runDir, local),
  };
}

/** Who is asked for images without the engine, in order. */
function pullSources({ registry, imagePuller }: Config): ('hub' | 'registry')[] {
  return [
    registry === 'hub' ? ('hub' as const) : [],
    imagePuller === 'agent' ? ('registry' as const) : [],
  ].flat();
}

/** Loaded when first tried: a device that connects over MQTT never loads gRPC. */
export function linksOf(transport: Config['transport'], identity: Identity): (() => Promise<Link>)[] {
  const mqtt = async () => new (await import('./link/mqtt-link.ts')).MqttLink(identity);
  const grpc = async () => new (await import('./link/grpc-link.ts')).GrpcLink(identity);
  return { auto: [mqtt, grpc], mqtt: [mqtt], grpc: [grpc] }[transport];
}
