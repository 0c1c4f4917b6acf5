import { readConfig, readWords } from '../config.ts';
import type { Command } from './command.ts';

/** `holdfast-agent image pull NAME`: from the hub. Exit code 3 when that has none. `image import FILE`: of an archive. */
export const image: Command = async (args, env) => {
  const config = await readConfig(args, env, []);
  const { dataDir, dockerHost, peerPort } = config;
  const [verb, name, ...more] = readWords(args, []).words;
  // What the agent runs to pull.
  if (verb === 'fetch' && !name) return (await import('../images/fetch-command.ts')).fetchCommand(config);
  if (verb === 'import' && name && more.length === 0) {
    const { importArchive } = await import('../images/import-archive.ts');
    const names = await importArchive(name, { engine: dockerHost, dataDir });
    return console.log(names.map((each) => `image ${each} imported`).join('\n'));
  }
  if (verb !== 'pull' || !name || more.length > 0)
    throw new Error('say "image pull NAME" or "image import FILE"');
  const [{ pullFromHub }, { HUB_HAS_NONE }, { readIdentityFile }] = await Promise.all([
    import('../images/pull-image.ts'),
    import('../images/pull-process.ts'),
    import('../state/identity-file.ts'),
  ]);
  const identity = readIdentityFile(dataDir);
  const port = peerPort === undefined ? undefined : Number(peerPort);
  if (await pullFromHub(name, { identity, engine: dockerHost, dataDir, peerPort: port }))
    console.log(`image ${name} pulled`);
  else {
    console.error(`the hub has no image "${name}": "holdfast images add" at the hub keeps it for devices`);
    process.exitCode = HUB_HAS_NONE;
  }
};
