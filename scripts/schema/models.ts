import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One attribute of a client model, as its source files tell it. */
export interface ModelField {
  /** The name in JSON. */
  readonly name: string;
  /** `string`, `V1PodSpec`, `Array<V1Container>`, `{ [key: string]: string; }`, … */
  readonly type: string;
  readonly format: string;
  readonly required: boolean;
  readonly description: string;
}

export interface Model {
  readonly className: string;
  readonly description: string;
  readonly fields: readonly ModelField[];
}

const DIRECTORY = fileURLToPath(new URL('gen/models/', import.meta.resolve('@kubernetes/client-node')));

/** The text of a doc comment: one paragraph, quotes unescaped. */
function commentText(comment: string): string {
  return comment
    .replace(/^\s*\*\s?/gm, '')
    .replace(/\\(['"\\])/g, '$1')
    .replace(/\s+/g, ' ')
    .trim();
}

const PROPERTY = /(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*)?'([^']+)'(\?)?: /g;
const CLASS = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*export declare class /;

function readModel(className: string): Model | undefined {
  const source = readFileSync(join(DIRECTORY, `${className}.js`), 'utf8');
  const [, attributes] = /attributeTypeMap = (\[[\s\S]*?\n\]);/.exec(source) ?? [];
  if (attributes === undefined) return undefined;
  const declarations = readFileSync(join(DIRECTORY, `${className}.d.ts`), 'utf8');
  const properties = new Map(
    [...declarations.matchAll(PROPERTY)].map(([, comment = '', name = '', optional]) => [
      name,
      { description: commentText(comment), required: optional === undefined },
    ]),
  );
  const fields = (
    JSON.parse(attributes) as { name: string; baseName: string; type: string; format: string }[]
  ).map(({ name, baseName, type, format }) => {
    const property = properties.get(name);
    if (!property) throw new Error(`${className} declares no "${name}"`);
    return { name: baseName, type, format, ...property };
  });
  return { className, description: commentText(CLASS.exec(declarations)?.[1] ?? ''), fields };
}

/** Every model of the client library, in the order of their names. */
export function readModels(): Model[] {
  return readdirSync(DIRECTORY)
    .filter((file) => /V\d\w*\.js$/.test(file))
    .map((file) => readModel(file.slice(0, -3)))
    .filter((model) => model !== undefined)
    .sort((a, b) => (a.className < b.className ? -1 : 1));
}
