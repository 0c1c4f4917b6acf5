import { readFileSync } from 'node:fs';
import type { StoredField, StoredMessage } from './stored-message.ts';

/** Types that are not made of other fields, or whose JSON is not. */
export type ScalarType =
  | 'string'
  | 'int'
  | 'bool'
  | 'double'
  | 'bytes'
  | 'time'
  | 'microtime'
  | 'quantity'
  | 'int-or-string'
  | 'json';

export type FieldType =
  | { readonly kind: 'scalar'; readonly scalar: ScalarType }
  /** `isUnion`: in JSON it is the value of whichever of its fields is set. */
  | { readonly kind: 'message'; readonly message: Message; readonly isUnion: boolean }
  | { readonly kind: 'repeated'; readonly items: FieldType }
  /** A list in a message of its own. */
  | { readonly kind: 'wrapped'; readonly items: FieldType }
  | { readonly kind: 'map'; readonly values: FieldType };

export interface MessageField {
  /** Empty when the fields of the message are in JSON fields of what it is in. */
  readonly json: string;
  readonly type: FieldType;
  /** Whether zero says something else than absence. */
  readonly keepsZero: boolean;
}

/** The fields of a message by their numbers. Messages may contain themselves. */
export type Message = ReadonlyMap<number, MessageField>;

const SCALARS: ReadonlySet<string> = new Set<ScalarType>([
  ...(['string', 'int', 'bool', 'double', 'bytes'] as const),
  ...(['time', 'microtime', 'quantity', 'int-or-string', 'json'] as const),
]);

/** The messages of the built-in kinds. The file is read when the first is asked for: many hubs are never sent any. */
class Messages {
  #stored: Map<string, StoredMessage> | undefined;
  readonly #messages = new Map<string, Message>();

  get(name: string): Message | undefined {
    const known = this.#messages.get(name);
    if (known) return known;
    this.#stored ??= readStored();
    const stored = this.#stored.get(name);
    return stored && this.#build(name, stored);
  }

  #build(name: string, stored: StoredMessage): Message {
    const message = new Map<number, MessageField>();
    this.#messages.set(name, message); // before its fields, which may lead back to it
    for (const [number, field] of Object.entries(stored)) message.set(Number(number), this.#field(field));
    return message;
  }

  #field({ json, type, keepsZero }: StoredField): MessageField {
    return { json, type: this.#type(type), keepsZero: keepsZero === true };
  }

  #type(type: string): FieldType {
    if (type.startsWith('[]')) return { kind: 'repeated', items: this.#type(type.slice(2)) };
    if (type.startsWith('()')) return { kind: 'wrapped', items: this.#type(type.slice(2)) };
    if (type.startsWith('{}')) return { kind: 'map', values: this.#type(type.slice(2)) };
    if (SCALARS.has(type)) return { kind: 'scalar', scalar: type as ScalarType };
    const isUnion = type.startsWith('|');
    const message = this.get(isUnion ? type.slice(1) : type);
    if (!message) throw new Error(`the protobuf messages name "${type}", which they do not have`);
    return { kind: 'message', message, isUnion };
  }
}

function readStored(): Map<string, StoredMessage> {
  const file = new URL('./generated/protobuf.json', import.meta.url);
  try {
    return new Map(Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Record<string, StoredMessage>));
  } catch (cause) {
    throw new Error('read the generated protobuf messages (npm run generate makes them)', { cause });
  }
}

const builtIn = new Messages();

/** The message of a type by its component name: `io.k8s.api.apps.v1.Deployment`; undefined if protobuf has none. */
export function messageOf(component: string): Message | undefined {
  return builtIn.get(component);
}
