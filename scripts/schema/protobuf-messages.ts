import type { StoredField, StoredMessage } from '../../hub/protobuf/stored-message.ts';
import { type GoField, type GoStruct, type GoType, readStructs } from './go-types.ts';
import { readProgram } from './programs.ts';

/** Where the types of the API are; kubectl has all but apiextensions, which Helm has. */
const API_PACKAGES = /^k8s\.io\/(api|apimachinery\/pkg|apiextensions-apiserver\/pkg\/apis)\//;

/** Structs whose JSON is not made of their fields. */
const SPECIAL: Readonly<Record<string, string>> = {
  'io.k8s.apimachinery.pkg.apis.meta.v1.Time': 'time',
  'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime': 'microtime',
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1': 'json',
  'io.k8s.apimachinery.pkg.runtime.RawExtension': 'json',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON': 'json',
  'io.k8s.apimachinery.pkg.api.resource.Quantity': 'quantity',
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': 'int-or-string',
};
const SCALARS: Readonly<Record<string, string>> = {
  bool: 'bool',
  int: 'int',
  float: 'double',
  string: 'string',
};
/** Types whose zero is left out, unless the field says something else with it. */
const MAY_BE_ZERO = new Set(['bool', 'int', 'double', 'string', 'int-or-string']);

/** What the tags of a field say of it in JSON and in protobuf. */
interface Tags {
  readonly number: string;
  /** Undefined when JSON has no such field; empty when the struct's fields stand in its place. */
  readonly json: string | undefined;
  readonly omitsZero: boolean;
}

/** `k8s.io/api/core/v1` and `Pod` → `io.k8s.api.core.v1.Pod` */
function componentOf({ package: path, name }: { package: string; name: string }): string {
  return `io.${path.replace('k8s.io/', 'k8s/').replaceAll('/', '.')}.${name}`;
}

/** Undefined for a field that protobuf or JSON does not have. */
function tagsOf({ tag }: GoField): Tags | undefined {
  const [, protobuf] = /\bprotobuf:"([^"]*)"/.exec(tag) ?? [];
  const [, json] = /\bjson:"([^"]*)"/.exec(tag) ?? [];
  const [, number, ...rest] = protobuf?.split(',') ?? [];
  if (number === undefined || json === '-') return undefined;
  const [name, ...options] = json?.split(',') ?? [];
  return {
    number,
    json: name ?? rest.find((option) => option.startsWith('name='))?.slice('name='.length),
    omitsZero: options.includes('omitempty') || options.includes('omitzero'),
  };
}

/** The messages that the kinds are made of, from the types of the programs that send them. */
class MessageReader {
  readonly messages = new Map<string, StoredMessage>();
  readonly #structs: ReadonlyMap<string, GoStruct>;

  constructor(structs: ReadonlyMap<string, GoStruct>) {
    this.#structs = structs;
  }

  /** Reads a message and all that it contains. */
  read(component: string): void {
    if (this.messages.has(component)) return;
    const struct = this.#structs.get(component);
    if (!struct) throw new Error(`no program has the type ${component}`);
    const message: Record<string, StoredField> = {};
    this.messages.set(component, message); // before its fields, which may lead back to it
    for (const field of struct.fields) {
      const tags = tagsOf(field);
      if (tags?.json !== undefined) message[tags.number] = this.#field(field, tags, tags.json);
    }
  }

  #field({ type }: GoField, { omitsZero }: Tags, json: string): StoredField {
    const stored = this.#type(type);
    const isKept = type.kind === 'pointer' || (!omitsZero && stored !== 'string');
    return { json, type: stored, ...(isKept && MAY_BE_ZERO.has(stored) && { keepsZero: true }) };
  }

  #type(type: GoType): string {
    switch (type.kind) {
      case 'pointer':
        return this.#type(type.of);
      case 'slice':
        return `[]${this.#type(type.of)}`;
      case 'map':
        // The values of a map cannot be repeated, so that such a list is a message.
        return type.of.kind === 'slice' ? `{}()${this.#type(type.of.of)}` : `{}${this.#type(type.of)}`;
      case 'struct':
        return this.#message(componentOf(type));
      case 'bytes':
        return 'bytes';
      default: {
        const scalar = SCALARS[type.kind];
        if (!scalar) throw new Error(`a type of kind "${type.kind}" cannot be sent in protobuf`);
        return scalar;
      }
    }
  }

  #message(component: string): string {
    const special = SPECIAL[component];
    if (special) return special;
    this.read(component);
    return this.#isUnion(component) ? `|${component}` : component;
  }

  /** A struct that writes its own JSON has no names for it in its tags. */
  #isUnion(component: string): boolean {
    const tags = this.#structs.get(component)?.fields.map(({ tag }) => tag) ?? [];
    return tags.some((tag) => tag.includes('protobuf:')) && tags.every((tag) => !tag.includes('json:'));
  }
}

/** All messages that these components consist of, by name, in the order of their names. */
export function readMessages(components: readonly string[]): Record<string, StoredMessage> {
  const structs = new Map<string, GoStruct>();
  // kubectl last: it is of the version that the hub serves.
  for (const program of ['helm', 'kubectl'] as const) {
    for (const struct of readStructs(readProgram(program), (path) => API_PACKAGES.test(path)))
      structs.set(componentOf(struct), struct);
  }
  const reader = new MessageReader(structs);
  for (const component of components) reader.read(component);
  return Object.fromEntries([...reader.messages].sort(([a], [b]) => (a < b ? -1 : 1)));
}
