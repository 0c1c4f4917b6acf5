import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const DIRECTORY = new URL('./', import.meta.resolve('kubernetes-types/package.json'));

const INTERFACE = /^export interface (\w+)[^{\n]*\{\n([\s\S]*?)^\}/gm;
const PROPERTY = /^ {4}\/\*\*\s((?:(?!\*\/)[\s\S])*?)\s?\*\/\n {4}(?:readonly )?"?([\w$-]+)"?\??: /gm;

/** Descriptions of fields by type and field, of one group version. */
type Descriptions = ReadonlyMap<string, ReadonlyMap<string, string>>;

const read = new Map<string, Descriptions>();

function readDescriptions(path: string): Descriptions {
  const file = fileURLToPath(new URL(`${path}.d.ts`, DIRECTORY));
  const source = existsSync(file) ? readFileSync(file, 'utf8') : '';
  return new Map(
    [...source.matchAll(INTERFACE)].map(([, name = '', body = '']) => [
      name,
      new Map(
        [...body.matchAll(PROPERTY)].map(([, text = '', field = '']) => [
          field,
          text
            .replace(/^\s*\* ?/gm, '')
            .replace(/\s+/g, ' ')
            .trim(),
        ]),
      ),
    ]),
  );
}

/**
 * What another package of types says of a field. The client library describes no field whose type is a struct; this
 * package does, but it is a few versions older, so that it only fills the gaps.
 */
export function describeField(component: string, field: string): string {
  const [name = '', version = '', group = ''] = component.split('.').reverse();
  const path = `${group}/${version}`;
  const descriptions = read.get(path) ?? readDescriptions(path);
  read.set(path, descriptions);
  return descriptions.get(name)?.get(field) ?? '';
}
