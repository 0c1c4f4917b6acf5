import type Docker from 'dockerode';
import { digestOfTag } from './digest-tag.ts';
import type { DockerConnection } from './docker-connection.ts';
import { isUnstartable } from './docker-errors.ts';
import { OWN_NETWORK } from './infra-image.ts';
import { identityOf } from './labels.ts';
import type { ObservedContainer } from './runtime.ts';

/** What the kubelet says of a command that cannot run; engines differ. */
const START_ERROR = 128;
/** By SIGKILL. */
const KILLED = 137;
/** How it ended is not known to anybody. */
const MISSED = {
  ...{ Status: 'exited', Running: false, ExitCode: KILLED },
  Error: 'Podman did not learn of its end: the process that watches it (conmon) was killed',
};
const NEVER = '0001-01-01T00:00:00Z'; // the engine's "not yet"

/** What the engine says of a container, in our words; undefined for one that is nobody's here. */
export async function observedOf(
  container: Docker.ContainerInspectInfo,
  engine: DockerConnection,
  monotonicMs: () => number,
): Promise<ObservedContainer | undefined> {
  const identity = identityOf(container.Config.Labels ?? {});
  if (!identity) return undefined;
  const podman = await engine.call('ask the engine for its version', () => engine.podman());
  const { Config: config } = container;
  const why = engine.unstartable.get(container.Id);
  const missedAtMs = engine.missed.get(container.Id);
  const state = {
    ...container.State,
    ...(why !== undefined && { Error: why }),
    ...(missedAtMs !== undefined && MISSED),
  };
  const phase = phaseOf(state);
  const isOver = phase === 'exited' && state.Status === 'created';
  const finishedAtMs = missedAtMs ?? parseTime(isOver ? container.Created : state.FinishedAt);
  return {
    ...identity,
    id: container.Id,
    engine: podman ? 'podman' : 'docker',
    image: digestOfTag(config.Image) ?? config.Image,
    imageId: container.Image,
    state: phase,
    exitCode: isOver ? START_ERROR : state.ExitCode,
    oomKilled:
      state.OOMKilled ||
      (phase === 'exited' && state.ExitCode === KILLED && (await ranOutOfMemory(container.Id))),
    error: state.Error,
    ...(isOver && { isUnstartable: true as const }),
    startedAtMs: isOver ? finishedAtMs : parseTime(state.StartedAt),
    finishedAtMs,
    exitedAtMs: phase === 'exited' ? monotonicMs() - agoMs(finishedAtMs) : undefined,
    pid: state.Pid,
    ip: phase === 'running' ? addressOf(container, identity.podIp) : '',
    makesNetwork: config.Cmd?.at(-1) === OWN_NETWORK && identity.role === 'infra',
    stopSignal: (config as { StopSignal?: string }).StopSignal ?? 'SIGTERM',
  };
}

/**
 * Podman leaves it out of its answer where control groups are of version 1; to Docker it is told apart from the container's
 * end, and may get lost or come later.
 */
async function ranOutOfMemory(containerId: string): Promise<boolean> {
  const { endedForMemory } = await import('./kernel-log.ts');
  return endedForMemory(containerId);
}

/** The engine tells wall-clock times. One that lies in the future, after the clock was set back, counts as now. */
const agoMs = (atMs: number | undefined) => (atMs === undefined ? 0 : Math.max(0, Date.now() - atMs));

/** In whatever the engine calls its network; it knows nothing of one that the container has made itself. */
function addressOf({ NetworkSettings, HostConfig }: Docker.ContainerInspectInfo, podIp: string): string {
  const known = Object.values(NetworkSettings.Networks ?? {}).find(({ IPAddress }) => IPAddress)?.IPAddress;
  return known ?? (HostConfig.NetworkMode === 'host' ? podIp : '');
}

/**
 * What is neither there yet nor running has ended, with Podman's words for what is under way; so has what has no command that
 * can run, as on Kubernetes. Whatever else kept it from starting may be over.
 */
function phaseOf({ Status, Error: error }: { Status: string; Error: string }): ObservedContainer['state'] {
  if (Status === 'created' && isUnstartable(error)) return 'exited';
  if (['created', 'configured', 'initialized'].includes(Status)) return 'created';
  return ['running', 'paused', 'stopping'].includes(Status) ? 'running' : 'exited';
}

function parseTime(text: string | undefined): number | undefined {
  if (!text || text === NEVER) return undefined;
  return Date.parse(text);
}
