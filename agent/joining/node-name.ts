import { readdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';

/** What a device can be named after, and where it is written; undefined where the device does not know it. */
const SOURCES: Readonly<Record<string, (root: string) => string | undefined>> = {
  hostname: () => hostname(),
  serial: (root) =>
    firstText(root, [
      'sys/class/dmi/id/product_serial',
      'sys/firmware/devicetree/base/serial-number', // boards that have no BIOS
      'proc/device-tree/serial-number',
    ]),
  'machine-id': (root) => firstText(root, ['etc/machine-id']),
  mac: macAddress,
};

export const TEMPLATE_HELP = `text with ${Object.keys(SOURCES)
  .map((name) => `{${name}}`)
  .join(', ')}`;

/** What is wrong with a template of names; undefined when nothing is. Pure. */
export function templateProblem(template: string): string | undefined {
  const names = [...template.matchAll(/\{([^{}]*)\}/g)].map(([, name = '']) => name);
  const unknown = names.find((name) => !Object.hasOwn(SOURCES, name));
  if (unknown !== undefined) return `must be ${TEMPLATE_HELP}, and has {${unknown}}`;
  return /[{}]/.test(template.replaceAll(/\{[^{}]*\}/g, '')) ? `must be ${TEMPLATE_HELP}` : undefined;
}

/**
 * A name with what this device knows of itself in it, in lower case. Each device gets another one of the same template: that
 * is how one image is for a whole fleet. Throws when the device lacks what is wanted.
 */
export function nodeNameFrom(template: string, root = '/'): string {
  return template
    .replaceAll(/\{([^{}]*)\}/g, (_, name: string) => {
      const found = SOURCES[name]?.(root);
      if (found) return found;
      throw new Error(`the node name "${template}" can not be made: this device has no ${name}`);
    })
    .toLowerCase();
}

function firstText(root: string, files: readonly string[]): string | undefined {
  return files.map((file) => textOf(join(root, file))).find(Boolean);
}

/** Without the zero that ends texts of a device tree. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').replaceAll('\0', '').trim();
  } catch {
    return ''; // this device has no such file
  }
}

/** Of the first port that is a piece of hardware, without colons: it is the same at each start. */
function macAddress(root: string): string | undefined {
  const dir = join(root, 'sys/class/net');
  const ports = namesIn(dir).filter((name) => namesIn(join(dir, name)).includes('device'));
  return firstText(
    dir,
    ports.sort().map((name) => `${name}/address`),
  )?.replaceAll(':', '');
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}
