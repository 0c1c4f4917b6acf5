import { MERGE_PATCH } from '../../hub/cli/api-client.ts';
import { agentPackages } from '../../hub/packages/agent-packages.ts';
import {
  AGENT_RELEASE_ANNOTATION,
  type AgentRelease,
  encodeAgentRelease,
} from '../../proto/agent-release.ts';
import type { PodUpdate } from '../../proto/pod-update.ts';
import type { HubProgram } from './hub-program.ts';

/** How a policy would have it that lets devices decide soon. */
export const SOON: PodUpdate = {
  step: 'apply',
  order: 'download-then-stop',
  minHealthySeconds: 2,
  maxRestarts: 0,
  deadlineSeconds: 15,
  rollback: true,
};

/** Asks a device to run a version, as the hub's controller does. */
export async function askAgent(
  hub: HubProgram,
  node: string,
  { id, version, ...more }: Pick<AgentRelease, 'id' | 'version'> & Partial<AgentRelease>,
): Promise<void> {
  const packages = agentPackages(hub.packages, version, 'amd64');
  const release = { id, release: 'default/test', version, port: hub.ports.api, ...packages, update: SOON };
  await askNothingOrThis(hub, node, encodeAgentRelease({ ...release, ...more }));
}

export async function askNothing(hub: HubProgram, node: string): Promise<void> {
  await askNothingOrThis(hub, node, null);
}

async function askNothingOrThis(hub: HubProgram, node: string, text: string | null): Promise<void> {
  const change = { metadata: { annotations: { [AGENT_RELEASE_ANNOTATION]: text } } };
  await hub.api.call('PATCH', `/api/v1/nodes/${node}`, change, { contentType: MERGE_PATCH });
}
