import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type PublicKey, parsePublicKey } from '../../proto/minisign.ts';
import type { Call, Command, CommandGroup } from '../cli/command.ts';
import { dataText, tableText } from '../cli/print.ts';
import { PackageStore } from '../packages/package-store.ts';
import { packagesAt } from '../packages/packages-at.ts';
import { DATA_DIR, dataDirOf, hubDataOf } from './data-dir.ts';

/** Beside an installed program: whose packages are its own. */
const RELEASE_KEY = new URL('../release.pub', import.meta.url);

const of = (command: Omit<Command, 'isLocal'>): Command => ({
  ...command,
  flags: { ...command.flags, ...DATA_DIR },
  isLocal: true,
});
const storeOf = async (call: Call) => new PackageStore(await dataDirOf(call));

/** `holdfast packages …`: works on the files of a hub on this machine, whether it runs or not. */
export const packages: CommandGroup = {
  name: 'packages',
  about: 'The packages that devices get from the hub on this machine.',
  commands: {
    add: of({
      arguments: 'FILE|DIR ...',
      takes: [1, 100],
      about:
        'lets devices have packages, or all that are in a directory, after it has checked who signed them',
      flags: {
        key: {
          type: 'string',
          value: 'FILE',
          about: 'whose packages are taken (release.pub of this program)',
        },
      },
      examples: ['dist/packages', 'holdfast-agent-1.2.3-linux-arm64.tar.gz --key release.pub'],
      run: async (call) => add(call, new PackageStore(await hubDataOf(call))),
    }),
    list: of({
      arguments: '',
      takes: [0, 0],
      about: 'what devices can have',
      examples: ['', '-o json'],
      outputs: ['json', 'yaml'],
      run: async (call) => list(call, await storeOf(call)),
    }),
    remove: of({
      arguments: 'NAME ...',
      takes: [1, 100],
      about: 'takes packages away; what was installed from them stays',
      examples: ['holdfast-agent-1.2.3-linux-arm64.tar.gz'],
      run: async (call) => remove(call, new PackageStore(await hubDataOf(call))),
    }),
  },
};

async function add(call: Call, store: PackageStore): Promise<undefined> {
  const key = readKey(call.text('key'));
  for (const path of call.arguments.flatMap(packagesAt)) {
    const { name } = await store.add(path, key);
    call.print(`${name} added`);
  }
}

function readKey(file: string | undefined): PublicKey {
  try {
    return parsePublicKey(readFileSync(file ?? RELEASE_KEY, 'utf8'));
  } catch (error) {
    const from = file ?? fileURLToPath(RELEASE_KEY);
    throw new Error(
      `the key of those who may sign packages can not be read from "${from}": name it with --key`,
      {
        cause: error,
      },
    );
  }
}

function list(call: Call, store: PackageStore): undefined {
  const found = store.list();
  if (call.output === 'json' || call.output === 'yaml') {
    call.print(dataText(call.output, found));
    return;
  }
  if (found.length === 0) {
    call.warn('there are no packages: "holdfast packages add FILE" adds one');
    return;
  }
  const rows = found.map(({ name, version, arch, bytes, sha256 }) => [
    name,
    version,
    arch,
    `${(bytes / 1e6).toFixed(1)} MB`,
    sha256.slice(0, 12),
  ]);
  const head = ['NAME', 'VERSION', 'ARCH', 'SIZE', 'SHA-256'];
  call.print(tableText({ head, rows }, call.surroundings.stdout.columns));
}

function remove(call: Call, store: PackageStore): undefined {
  for (const name of call.arguments) {
    if (!store.remove(name)) {
      const names = store.list().map((each) => each.name);
      throw new Error(`no package is called "${name}": there are ${names.join(', ') || 'none'}`);
    }
    call.print(`${name} removed`);
  }
}
