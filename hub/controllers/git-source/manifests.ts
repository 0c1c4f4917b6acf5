import type { Failure, ObjectRef } from '../../fleet/git-source.ts';
import { isJsonObject, type JsonObject } from '../../schema/json-type.ts';
import type { ParsedJson } from '../../schema/parse-json.ts';

export interface ManifestFile {
  /** From the root of the repository. */
  readonly path: string;
  readonly text: string;
}

/** One object as the repository has it. */
export interface Manifest {
  readonly file: string;
  /** Its namespace is the one that it names itself. */
  readonly ref: ObjectRef;
  readonly body: ParsedJson;
}

export interface ReadManifests {
  readonly manifests: readonly Manifest[];
  readonly failures: readonly Failure[];
}

/** A line that begins a document of YAML; nothing else may stand there, not even within a text. */
const DOCUMENT = /^---(?=[ \t\r]|$)/m;
/** Nobody reads more. */
export const MAX_FAILURES = 50;
const LINE = /\bline (\d+)/;

/** All objects of some files. What is wrong is told by file and line; the others are read all the same. */
export function readManifests(
  files: readonly ManifestFile[],
  parse: (text: string) => ParsedJson,
  maxObjects: number,
): ReadManifests {
  const manifests: Manifest[] = [];
  const failures: Failure[] = [];
  for (const { path: file, text } of files) {
    for (const { start, content } of documentsOf(file, text)) {
      try {
        const body = parse(content);
        if (body.value === null || body.value === undefined) continue;
        for (const object of objectsOf(body.value)) {
          if (manifests.length >= maxObjects) return tooMany(file, maxObjects);
          manifests.push(manifestOf(file, object, body.duplicates));
        }
      } catch (error) {
        failures.push({ file, message: atLine(error, start) });
        if (failures.length >= MAX_FAILURES) return { manifests, failures };
      }
    }
  }
  return { manifests, failures: [...failures, ...repeated(manifests)] };
}

function tooMany(file: string, maxObjects: number): ReadManifests {
  const message = `there are more than ${maxObjects} objects: split them over several GitSources`;
  return { manifests: [], failures: [{ file, message }] };
}

/** The documents of a file with the number of lines before each. */
function documentsOf(file: string, text: string): { start: number; content: string }[] {
  if (file.endsWith('.json')) return [{ start: 0, content: text }];
  let start = 0;
  return text
    .replace(/^\ufeff/, '')
    .split(DOCUMENT)
    .flatMap((content) => {
      const document = { start, content };
      start += content.split('\n').length - 1;
      return isEmpty(content) ? [] : [document];
    });
}

function isEmpty(content: string): boolean {
  return content.split('\n').every((line) => /^\s*(#|$)|^\.\.\.\s*$/.test(line));
}

function atLine(error: unknown, start: number): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(LINE, (_, line: string) => `line ${Number(line) + start}`);
}

/** What a document stands for: an object, or those of a list. */
function* objectsOf(value: unknown): Generator<JsonObject> {
  if (!isJsonObject(value)) throw new Error('holds no object: a manifest has apiVersion, kind and metadata');
  const { kind, items } = value;
  if (typeof kind !== 'string' || !kind.endsWith('List') || !Array.isArray(items)) {
    yield value;
    return;
  }
  for (const item of items) yield* objectsOf(item);
}

function manifestOf(file: string, object: JsonObject, duplicates: string[]): Manifest {
  const { apiVersion, kind, metadata } = object;
  if (typeof apiVersion !== 'string' || typeof kind !== 'string' || !apiVersion || !kind)
    throw new Error('has no apiVersion and kind: what is no manifest belongs into another folder');
  if (apiVersion.startsWith('kustomize.config.k8s.io/'))
    throw new Error('is for Kustomize, which does not run here: commit what it makes');
  const { name, namespace } = isJsonObject(metadata) ? metadata : {};
  if (typeof name !== 'string' || name === '')
    throw new Error(`has a ${kind} without metadata.name: what is applied again and again needs one`);
  return {
    file,
    ref: { apiVersion, kind, name, ...(typeof namespace === 'string' && namespace && { namespace }) },
    body: { value: object, duplicates },
  };
}

/** The same object twice: which one counts, nobody could say. */
function repeated(manifests: readonly Manifest[]): Failure[] {
  const first = new Map<string, string>();
  return manifests.flatMap(({ file, ref }) => {
    const object = refText(ref);
    const key = `${ref.apiVersion.split('/').slice(0, -1)} ${object}`;
    const other = first.get(key);
    if (other === undefined) first.set(key, file);
    return other === undefined ? [] : [{ file, object, message: `is in ${other} too: remove one of them` }];
  });
}

/** `ConfigMap default/settings` */
export function refText({ kind, namespace, name }: ObjectRef): string {
  return `${kind} ${namespace ? `${namespace}/` : ''}${name}`;
}
