import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { BundleIndex } from '../../proto/bundle/bundle-index.ts';
import { verifyBundle } from '../../proto/bundle/verify-bundle.ts';
import { createBundle } from '../bundle/create-bundle.ts';
import type { Call, Command, CommandGroup } from '../cli/command.ts';
import { DATA_DIR, hubDataOf } from './data-dir.ts';
import { ENGINE, engineOf } from './engine.ts';

const create: Command = {
  arguments: 'FILE',
  takes: [1, 1],
  about: 'makes one file of images, packages and manifests, signed by this hub, for sites without a network',
  flags: {
    images: {
      type: 'string',
      value: 'A,B',
      multiple: true,
      about: 'images that the engine here has; may be repeated',
    },
    packages: { type: 'string', value: 'PATH', multiple: true, about: 'a package, or a folder of them' },
    manifests: {
      type: 'string',
      value: 'PATH',
      multiple: true,
      about: 'a file of objects, or a folder of them',
    },
    ...ENGINE,
    ...DATA_DIR,
  },
  examples: ['site.bundle --images app:1.4,db:12 --packages dist/packages --manifests ./site'],
  isLocal: true,
  run: async (call) => {
    const images = call
      .texts('images')
      .flatMap((each) => each.split(','))
      .filter(Boolean);
    const [packages, manifests] = [call.texts('packages'), call.texts('manifests')];
    if (images.length + packages.length + manifests.length === 0)
      throw new Error('say what is to be in it: --images, --packages, --manifests');
    const index = await createBundle(resolve(call.arguments[0] ?? ''), {
      ...{ images, packages, manifests, now: call.now },
      engine: engineOf(call),
      dataDir: await hubDataOf(call),
    });
    tell(call, index);
    return undefined;
  },
};

const inspect: Command = {
  arguments: 'FILE',
  takes: [1, 1],
  about: 'checks that a bundle is whole and signed by this hub, and says what is in it',
  flags: DATA_DIR,
  examples: ['site.bundle'],
  isLocal: true,
  run: async (call) => {
    const ca = JSON.parse(readFileSync(join(await hubDataOf(call), 'ca.json'), 'utf8')) as {
      certificate: string;
    };
    tell(call, await verifyBundle(call.arguments[0] ?? '', ca.certificate));
    return undefined;
  },
};

function tell(call: Call, { images, files }: BundleIndex): void {
  for (const { name, architecture } of images) call.print(`image ${name} (${architecture})`);
  for (const path of Object.keys(files)) if (/^(packages|manifests)\//.test(path)) call.print(path);
}

/** `holdfast bundle …` */
export const bundle: CommandGroup = {
  name: 'bundle',
  about: 'Files with all that a site without a network needs.',
  commands: { create, inspect },
};
