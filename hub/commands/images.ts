import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeWorkDirectory } from '../../proto/work-directory.ts';
import { layoutOf } from '../bundle/engine-images.ts';
import type { Command, CommandGroup } from '../cli/command.ts';
import { dataText, tableText } from '../cli/print.ts';
import { ImageStore } from '../images/image-store.ts';
import { DATA_DIR, dataDirOf, hubDataOf } from './data-dir.ts';
import { ENGINE, engineOf } from './engine.ts';

const add: Command = {
  arguments: 'IMAGE ...',
  takes: [1, 100],
  about: 'keeps images for the devices: copies them from the engine here',
  flags: {
    ...ENGINE,
    ...DATA_DIR,
  },
  examples: ['app:1.4 db:12'],
  isLocal: true,
  run: async (call) => {
    const engine = engineOf(call);
    const dataDir = await hubDataOf(call);
    const work = makeWorkDirectory(dataDir, '.images-');
    try {
      const tree = join(work, 'tree');
      await layoutOf(call.arguments, engine, join(work, 'saved'), tree);
      for (const { name, architecture } of await new ImageStore(dataDir).addLayout(tree))
        call.print(`${name} (${architecture}) added`);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
    return undefined;
  },
};

const list: Command = {
  arguments: '',
  takes: [0, 0],
  about: 'lists the images that devices can have from this hub',
  flags: DATA_DIR,
  examples: ['', '-o json'],
  outputs: ['json', 'yaml'],
  isLocal: true,
  run: async (call) => {
    const images = new ImageStore(await dataDirOf(call)).list();
    if (call.output) call.print(dataText(call.output === 'yaml' ? 'yaml' : 'json', { images }));
    else if (images.length === 0) call.warn('no images: "images add" keeps some');
    else {
      const rows = images.map(({ name, architecture, bytes }) => [name, architecture, size(bytes)]);
      call.print(tableText({ head: ['IMAGE', 'PROCESSOR', 'SIZE'], rows }));
    }
    return undefined;
  },
};

const remove: Command = {
  arguments: 'IMAGE ...',
  takes: [1, 100],
  about: 'takes images away; devices that have them keep them',
  flags: DATA_DIR,
  examples: ['app:1.3'],
  isLocal: true,
  run: async (call) => {
    const store = new ImageStore(await hubDataOf(call));
    for (const name of call.arguments) {
      if (!(await store.remove(name))) throw new Error(`there is no image "${name}": see "images list"`);
      call.print(`${name} removed`);
    }
    return undefined;
  },
};

const size = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;

/** `holdfast images …` */
export const images: CommandGroup = {
  name: 'images',
  about: 'Images that devices have from this hub, where they are told "registry: hub".',
  commands: { add, list, remove },
};
