import type { PodStatus } from '../pod/pod.ts';
import { table } from './table.ts';

/** What `holdfast-agent status` shows: the device's own view, whether or not the hub can be reached. */
export interface LocalStatus {
  readonly node: string;
  readonly cluster: string;
  readonly hub: string;
  readonly connected: boolean;
  readonly transport: string | undefined;
  readonly connectionError: string | undefined;
  readonly engineError: string | undefined;
  /** `epoch.revision` of the desired state that is held. */
  readonly desired: string;
  /** Files of the device's own pods that are not valid; agents before this one do not say. */
  readonly staticPodProblems?: readonly { readonly file: string; readonly problem: string }[];
  readonly pods: readonly { readonly namespace: string; readonly name: string; readonly status: PodStatus }[];
}

/** For a terminal. Pure. */
export function formatStatus(status: LocalStatus): string {
  const connection = status.connected
    ? `connected to ${status.hub} over ${status.transport}`
    : `not connected to ${status.hub}${status.connectionError ? ` (${status.connectionError})` : ''}`;
  const rows = status.pods.map(({ namespace, name, status: pod }) => {
    const containers = pod.containerStatuses ?? [];
    const ready = containers.filter((container) => container.ready).length;
    const restarts = containers.reduce((sum, container) => sum + container.restartCount, 0);
    const waiting = containers.map(({ state }) => state?.waiting?.reason).find(Boolean);
    return [namespace, name, `${ready}/${containers.length}`, waiting ?? pod.phase ?? '', String(restarts)];
  });
  return [
    `Node:     ${status.node} (cluster ${status.cluster})`,
    `Hub:      ${connection}`,
    `Engine:   ${status.engineError ?? 'running'}`,
    `Desired:  ${status.desired}`,
    ...(status.staticPodProblems ?? []).map(({ file, problem }) => `Invalid:  ${file}: ${problem}`),
    '',
    ...table([['NAMESPACE', 'POD', 'READY', 'STATUS', 'RESTARTS'], ...rows]),
  ].join('\n');
}
