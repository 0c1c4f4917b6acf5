import { execFile } from 'node:child_process';
import type { Config } from '../config.ts';

/** What `image pull` ends with when the hub has no such image: somebody else may. */
export const HUB_HAS_NONE = 3;

/**
 * Gets an image from the hub, in a process that ends: a download needs memory that an agent does not have for good. Resolves
 * with whether the hub has it; rejects with why it can not be had.
 */
export function pullInProcess(
  image: string,
  { dataDir, dockerHost, peerPort }: Pick<Config, 'dataDir' | 'dockerHost' | 'peerPort'>,
): Promise<boolean> {
  const settings = [
    '--data-dir',
    dataDir,
    '--docker-host',
    dockerHost,
    ...(peerPort ? ['--peer-port', peerPort] : []),
  ];
  const args = [...process.execArgv, process.argv[1] ?? '', 'image', 'pull', image, ...settings];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, (error, _, stderr) => {
      if (!error) resolve(true);
      else if (error.code === HUB_HAS_NONE) resolve(false);
      else reject(new Error(stderr.trim().replace(/^holdfast-agent image: /, '') || error.message));
    });
  });
}
