import { agentReleases } from '../fleet/agent-release.ts';
import { forbidden } from '../resources/api-error.ts';
import { nodes } from '../resources/table-of-resources.ts';
import type { Authorizer } from './attributes.ts';
import type { AdmittedWrite } from './write-checks.ts';

/*
 * An AgentRelease is in a namespace, for its policy is, and is for devices of all: whoever may write in one namespace alone
 * says nothing to devices that are everybody's.
 */

/** Throws 403 for who may not change the Nodes either. */
export function checkAgentReleaseWriters(authorizer: Authorizer, write: AdmittedWrite): void {
  const { resource, operation, subresource, user, name } = write;
  if (resource !== agentReleases || subresource !== undefined || operation === 'DELETE') return;
  const mayChangeNodes = authorizer.authorize(user, {
    type: 'resource',
    verb: 'update',
    group: '',
    resource: nodes.plural,
  }).allowed;
  if (mayChangeNodes) return;
  throw forbidden(
    resource,
    name,
    'it is for devices of all namespaces: its writer must be allowed to update nodes',
  );
}
