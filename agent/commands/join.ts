import { hostname } from 'node:os';
import { parseJoinToken } from '../../proto/join-token.ts';
import { readSmallFile } from '../../proto/small-file.ts';
import { type Config, readConfig } from '../config.ts';
import { readJoinSettings, removeJoinFile } from '../joining/join-file.ts';
import { EnrolmentDenied, enrol, newDeviceKeys } from '../link/enrol.ts';
import { createLog } from '../log.ts';
import { AgentState } from '../state/agent-state.ts';
import { forgetJoining, readJoining, saveJoining } from '../state/joining.ts';
import { approveWith } from './approve-with.ts';
import type { Command } from './command.ts';

const DEFAULT_GRPC_PORT = 6444;
const MOST_TOKEN_BYTES = 4096;

/** `holdfast-agent join`: resolves when the device has joined, which may need an approval. */
export const join: Command = async (args, env) => {
  const config = await readConfig(args, env);
  const { dataDir } = config;
  const settings = await readJoinSettings(config);
  const { hub, transport } = settings;
  const node = settings.nodeName ?? hostname().toLowerCase();
  const log = createLog(config.logLevel, node);
  const state = AgentState.open(dataDir, log);
  const joined = state.identity();
  if (joined) {
    throw new Error(
      `this device has joined as "${joined.node}" already: to join anew, move "${dataDir}" aside`,
    );
  }
  if (!hub) throw new Error('--hub must say where the hub is: HOST or HOST:PORT');
  const token = parseJoinToken(readToken(settings));
  if (settings.isOpen)
    log.warn({ file: config.joinFile }, 'others on this device can read the join token: chmod 600');
  const before = readJoining(dataDir);
  const isSame = before?.node === node && before.caHash === token.caHash;
  const { waits: _, ...joining } = isSame
    ? { ...before, hub }
    : { node, caHash: token.caHash, hub, ...newDeviceKeys() };
  saveJoining(dataDir, joining);
  try {
    const identity = await enrol({
      ...parseAddress(hub),
      node,
      token,
      keys: { key: joining.key, sealingKey: joining.sealingKey },
      onPending: (request, keyHash) => {
        const since = (isSame && before.waits?.since) || new Date().toISOString();
        saveJoining(dataDir, { ...joining, waits: { request, since } });
        log.info({ request, keyHash }, `waiting until somebody approves this device: ${approveWith(node)}`);
      },
      onCutOff: (error) =>
        log.warn({ reason: error.message }, 'the hub cannot be asked for the approval: trying again'),
    });
    state.saveIdentity({ ...identity, ...(transport && { transport }) });
    forgetJoining(dataDir);
    log.info({ cluster: identity.cluster, hub: identity.hub.host }, 'joined');
    try {
      removeJoinFile(config);
    } catch (error) {
      log.warn({ reason: (error as Error).message }, 'the join token is still in its file: remove it');
    }
  } catch (error) {
    if (error instanceof EnrolmentDenied) forgetJoining(dataDir); // the next attempt is another device's
    throw error;
  } finally {
    state.close();
  }
};

function readToken({ token, tokenFile }: Pick<Config, 'token' | 'tokenFile'>): string {
  if (token) return token;
  if (!tokenFile) throw new Error('a join token is needed: --token-file FILE (or HOLDFAST_TOKEN)');
  try {
    return readSmallFile(tokenFile, MOST_TOKEN_BYTES);
  } catch (error) {
    throw new Error(
      `read the join token from "${tokenFile}": --token-file must name the file that holds it`,
      {
        cause: error,
      },
    );
  }
}

/** `host`, `host:port`, `[v6]:port` or `https://host:port`. */
function parseAddress(text: string): { host: string; port: number } {
  const url = new URL(text.includes('://') ? text : `https://${text}`);
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port) || DEFAULT_GRPC_PORT };
}
