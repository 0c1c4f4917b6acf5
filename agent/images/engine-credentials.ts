import type { PullSecret } from '../runtime/runtime.ts';
import { type Credentials, credentialsFor } from './credentials.ts';
import { lookAtEngine } from './engine-store.ts';
import { parseReference } from './reference.ts';

/** As engines take them. */
interface EngineCredentials {
  readonly username: string;
  readonly password: string;
  readonly identitytoken?: string;
  readonly serveraddress: string;
}

/** Of the pull Secrets, what is for the registry of an image that the engine is to pull. */
export async function engineCredentials(
  image: string,
  secrets: readonly PullSecret[],
  engine: string,
): Promise<EngineCredentials[]> {
  const { registry, repository } = parseReference(image);
  const { IndexServerAddress = '' } = await lookAtEngine(engine);
  const host = registry ?? (IndexServerAddress && new URL(IndexServerAddress).host);
  const address = registry ?? IndexServerAddress;
  return credentialsFor(secrets, { host, repository }).map((each) => asEnginesTakeThem(each, address));
}

function asEnginesTakeThem(
  { username, password, identityToken }: Credentials,
  serveraddress: string,
): EngineCredentials {
  return { username, password, serveraddress, ...(identityToken && { identitytoken: identityToken }) };
}
