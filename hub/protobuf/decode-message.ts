import type { JsonObject } from '../schema/json-type.ts';
import { MAX_DEPTH, parseJson } from '../schema/parse-json.ts';
import type { FieldType, Message, MessageField, ScalarType } from './messages.ts';
import { BYTES, FIXED64, malformed, type Tag, textOf, VARINT, WireReader } from './wire-reader.ts';

type Reader = (wire: WireReader) => unknown;

/** How a scalar is sent, and the JSON that Go would have written for it; undefined where Go leaves it out. */
const SCALARS: Readonly<Record<ScalarType, { readonly wireType: number; readonly read: Reader }>> = {
  string: { wireType: BYTES, read: (wire) => textOf(wire.bytes()) },
  int: { wireType: VARINT, read: (wire) => wire.int() },
  bool: { wireType: VARINT, read: (wire) => wire.int() !== 0 },
  double: { wireType: FIXED64, read: (wire) => finite(wire.double()) },
  bytes: { wireType: BYTES, read: (wire) => Buffer.from(wire.bytes()).toString('base64') },
  time: { wireType: BYTES, read: (wire) => time(wire.bytes(), 0) },
  microtime: { wireType: BYTES, read: (wire) => time(wire.bytes(), 6) },
  quantity: { wireType: BYTES, read: (wire) => fieldsIn(wire.bytes()).text(1) || '0' },
  'int-or-string': { wireType: BYTES, read: (wire) => intOrString(wire.bytes()) },
  json: { wireType: BYTES, read: (wire) => json(wire.bytes()) },
};

/** What stands for itself although it is nothing: who sends an item or an entry means it. */
const KEEP_ZERO = true;

/** The fields of a small message, of which the last counts. */
function fieldsIn(bytes: Uint8Array): { int(field: number): number; text(field: number): string } {
  const wire = new WireReader(bytes);
  const values = new Map<number, number | Uint8Array>();
  while (!wire.isAtEnd) {
    const tag = wire.tag();
    if (tag.wireType === VARINT) values.set(tag.field, wire.int());
    else if (tag.wireType === BYTES) values.set(tag.field, wire.bytes());
    else wire.skip(tag);
  }
  return {
    int: (field) => {
      const value = values.get(field) ?? 0;
      if (typeof value === 'number') return value;
      throw wrongWireType(BYTES, String(field));
    },
    text: (field) => {
      const value = values.get(field) ?? new Uint8Array();
      if (typeof value !== 'number') return textOf(value);
      throw wrongWireType(VARINT, String(field));
    },
  };
}

function finite(value: number): number {
  if (Number.isFinite(value)) return value;
  throw malformed(`${value} is not a number that JSON has`);
}

/** `Time {1 seconds, 2 nanos}`; no bytes at all are Go's zero time. */
function time(bytes: Uint8Array, digits: number): string | undefined {
  if (bytes.length === 0) return undefined;
  const fields = fieldsIn(bytes);
  const date = new Date(fields.int(1) * 1000);
  if (Number.isNaN(date.getTime()) || date.getUTCFullYear() < 0 || date.getUTCFullYear() > 9999)
    throw malformed('a time is outside of the years 0 to 9999');
  const seconds = date.toISOString().slice(0, 19);
  if (digits === 0) return `${seconds}Z`;
  const nanos = fields.int(2);
  if (nanos < 0 || nanos > 999_999_999) throw malformed('the nanoseconds of a time are no part of a second');
  return `${seconds}.${String(nanos).padStart(9, '0').slice(0, digits)}Z`;
}

/** `IntOrString {1 type, 2 intVal, 3 strVal}` */
function intOrString(bytes: Uint8Array): number | string {
  const fields = fieldsIn(bytes);
  return fields.int(1) === 0 ? fields.int(2) : fields.text(3);
}

/** JSON in field 1. */
function json(bytes: Uint8Array): unknown {
  const text = fieldsIn(bytes).text(1);
  return text === '' ? undefined : parseJson(text).value;
}

function wrongWireType(wireType: number, field: string): Error {
  return malformed(`wrong wireType = ${wireType} for field ${field}`);
}

function isZero(value: unknown): boolean {
  return value === 0 || value === false || value === '';
}

class MessageDecoder {
  #depth = 0;

  /** Reads `bytes` into `object`: what is sent twice is merged, as protobuf has it. */
  message(message: Message, bytes: Uint8Array, object: JsonObject): JsonObject {
    if (++this.#depth > MAX_DEPTH) throw malformed('exceeded max depth');
    const wire = new WireReader(bytes);
    while (!wire.isAtEnd) {
      const tag = wire.tag();
      const field = message.get(tag.field);
      if (field) this.#field(field, wire, tag, object);
      else wire.skip(tag);
    }
    this.#depth--;
    return object;
  }

  #field({ json, type, keepsZero }: MessageField, wire: WireReader, tag: Tag, object: JsonObject): void {
    switch (type.kind) {
      case 'repeated':
        object[json] ??= [];
        this.#items(type.items, wire, tag, json, object[json] as unknown[]);
        break;
      case 'map':
        checkWireType(tag, BYTES, json);
        object[json] ??= {};
        this.#entry(type.values, wire.bytes(), json, object[json] as JsonObject);
        break;
      case 'message':
        checkWireType(tag, BYTES, json || 'inline');
        if (type.isUnion) set(object, json, this.#union(type.message, wire.bytes()), KEEP_ZERO);
        else if (json === '') this.message(type.message, wire.bytes(), object);
        else object[json] = this.message(type.message, wire.bytes(), (object[json] ?? {}) as JsonObject);
        break;
      default:
        set(object, json, this.#value(type, wire, tag, json), keepsZero);
    }
  }

  /** One value that stands for itself: an item, the value of an entry, a field. */
  #value(type: FieldType, wire: WireReader, tag: Tag, name: string): unknown {
    if (type.kind === 'scalar') {
      const { wireType, read } = SCALARS[type.scalar];
      checkWireType(tag, wireType, name);
      return read(wire);
    }
    checkWireType(tag, BYTES, name);
    if (type.kind === 'wrapped') return this.#wrapped(type.items, wire.bytes(), name);
    if (type.kind === 'message' && type.isUnion) return this.#union(type.message, wire.bytes());
    if (type.kind === 'message') return this.message(type.message, wire.bytes(), {});
    throw new Error(`"${name}" is a list or a map in a list or a map, which protobuf does not have`);
  }

  /** An item, or as many numbers as were packed together. */
  #items(type: FieldType, wire: WireReader, tag: Tag, name: string, list: unknown[]): void {
    const isPacked =
      type.kind === 'scalar' && SCALARS[type.scalar].wireType !== BYTES && tag.wireType === BYTES;
    if (!isPacked) {
      list.push(this.#value(type, wire, tag, name));
      return;
    }
    const packed = new WireReader(wire.bytes());
    while (!packed.isAtEnd) list.push(SCALARS[type.scalar].read(packed));
  }

  #wrapped(items: FieldType, bytes: Uint8Array, name: string): unknown[] {
    const field: MessageField = { json: name, type: { kind: 'repeated', items }, keepsZero: KEEP_ZERO };
    const object = this.message(new Map([[1, field]]), bytes, {});
    return (object[name] ?? []) as unknown[];
  }

  /** An entry of a map: a message of a key and a value. */
  #entry(values: FieldType, bytes: Uint8Array, name: string, map: JsonObject): void {
    const wire = new WireReader(bytes);
    let key = '';
    let value: unknown;
    while (!wire.isAtEnd) {
      const tag = wire.tag();
      if (tag.field === 1) {
        checkWireType(tag, BYTES, name);
        key = textOf(wire.bytes());
      } else if (tag.field === 2) value = this.#value(values, wire, tag, name);
      else wire.skip(tag);
    }
    if (key === '__proto__') throw malformed(`the key "${key}" is not allowed`);
    map[key] = value ?? emptyOf(values);
  }

  /** The schema that such a message holds, or else the value beside it. */
  #union(message: Message, bytes: Uint8Array): unknown {
    const { schema, ...others } = this.message(message, bytes, {});
    return schema ?? Object.values(others)[0];
  }
}

function checkWireType({ wireType }: Tag, expected: number, field: string): void {
  if (wireType !== expected) throw wrongWireType(wireType, field);
}

function set(object: JsonObject, key: string, value: unknown, keepsZero: boolean): void {
  if (value !== undefined && (keepsZero || !isZero(value))) object[key] = value;
}

/** What a map's entry without a value holds. */
function emptyOf(type: FieldType): unknown {
  if (type.kind === 'wrapped') return [];
  if (type.kind === 'message') return {};
  return type.kind === 'scalar' && type.scalar === 'quantity' ? '0' : '';
}

/** The JSON of a protobuf message, as Go would write it. Unknown fields are skipped. Throws 400 for broken bytes. */
export function decodeMessage(message: Message, bytes: Uint8Array): JsonObject {
  return new MessageDecoder().message(message, bytes, {});
}
