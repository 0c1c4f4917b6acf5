import { rmSync, statSync } from 'node:fs';
import { readSettings, type Settings } from '../../proto/settings/settings.ts';
import { readSettingsFile } from '../../proto/settings/settings-file.ts';
import { type Config, SETTINGS } from '../config.ts';
import { nodeNameFrom, templateProblem } from './node-name.ts';

/*
 * `join.yaml`: what a device joins with that has no identity yet. An image, or cloud-init, has one with a token that is good
 * for many devices; who a device is follows from the device, never from the image.
 */

const { hub, token, nodeName, transport } = SETTINGS;
const { fallback: _, ...anyTransport } = transport;
const JOIN_SETTINGS = {
  hub,
  token,
  nodeName: { ...nodeName, check: templateProblem },
  transport: anyTransport,
} as const satisfies Settings;
const OTHERS_MAY_READ = 0o044;

/** What joining needs to know. */
export interface JoinSettings extends Pick<Config, 'hub' | 'token' | 'tokenFile' | 'nodeName'> {
  /** What the file wants of the link for good, which it does not outlive. */
  readonly transport: Config['transport'] | undefined;
  /** Others on this device could have read the token. */
  readonly isOpen: boolean;
}

/** What the settings leave open is taken from the file, if there is one. Rejects with what is wrong with it. */
export async function readJoinSettings(config: Config, root?: string): Promise<JoinSettings> {
  const { joinFile } = config;
  const file = await readSettingsFile(joinFile, false);
  const found = file && readSettings(JOIN_SETTINGS, { flags: {}, env: {}, file });
  const name = found?.nodeName === undefined ? undefined : nodeNameFrom(found.nodeName, root);
  const problem = name === undefined ? undefined : nodeName.check(name);
  if (problem)
    throw new Error(`"${joinFile}": nodeName "${found?.nodeName}" ${problem}, and becomes "${name}" here`);
  return {
    hub: config.hub ?? found?.hub,
    token: config.token ?? (config.tokenFile === undefined ? found?.token : undefined),
    tokenFile: config.tokenFile,
    nodeName: config.nodeName ?? name,
    transport: found?.transport as JoinSettings['transport'],
    isOpen: found?.token !== undefined && (statSync(joinFile).mode & OTHERS_MAY_READ) !== 0,
  };
}

/** The token has done its work. Throws where the file can not be removed. */
export function removeJoinFile({ joinFile }: Config): void {
  rmSync(joinFile, { force: true });
}
