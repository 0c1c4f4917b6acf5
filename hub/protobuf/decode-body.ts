import { badRequest } from '../resources/api-error.ts';
import { isJsonObject, type JsonObject } from '../schema/json-type.ts';
import { checkParsed } from '../schema/parse-json.ts';
import { decodeMessage } from './decode-message.ts';
import { messageOf } from './messages.ts';
import { BYTES, textOf, WireReader } from './wire-reader.ts';

/** `k8s` and a zero: what every such body begins with. */
const PREFIX = Buffer.from([0x6b, 0x38, 0x73, 0x00]);

/** `runtime.Unknown`: what an object is wrapped in. */
interface Envelope {
  readonly apiVersion: string;
  readonly kind: string;
  readonly raw: Uint8Array;
}

/** The length-delimited fields of a message by number; of each, the last one counts. */
function partsOf(bytes: Uint8Array): Map<number, Uint8Array> {
  const wire = new WireReader(bytes);
  const parts = new Map<number, Uint8Array>();
  while (!wire.isAtEnd) {
    const tag = wire.tag();
    if (tag.wireType === BYTES) parts.set(tag.field, wire.bytes());
    else wire.skip(tag);
  }
  return parts;
}

/** `Unknown {1: typeMeta {1: apiVersion, 2: kind}, 2: raw}` */
function readEnvelope(body: Buffer): Envelope {
  if (!body.subarray(0, PREFIX.length).equals(PREFIX))
    throw badRequest(
      `provided data does not appear to be a protobuf message, expected prefix [${PREFIX.join(' ')}]`,
    );
  const parts = partsOf(body.subarray(PREFIX.length));
  const type = partsOf(parts.get(1) ?? Buffer.alloc(0));
  const text = (field: number) => textOf(type.get(field) ?? Buffer.alloc(0));
  return { apiVersion: text(1), kind: text(2), raw: parts.get(2) ?? Buffer.alloc(0) };
}

/** Whether there is a protobuf form of the type with this component name. */
export function hasProtobuf(component: string): boolean {
  return messageOf(component) !== undefined;
}

/**
 * The object in a body of type `application/vnd.kubernetes.protobuf`, as JSON. Which type it has follows from where it
 * was sent to; that it says the same itself is for the caller to check, and of another kind nothing but the type is read.
 * Throws 400.
 */
export function decodeProtobufBody(component: string, body: Buffer): JsonObject {
  const message = messageOf(component);
  if (!message) throw new Error(`"${component}" has no protobuf form`);
  const { apiVersion, kind, raw } = readEnvelope(body);
  if (kind !== '' && kind !== component.slice(component.lastIndexOf('.') + 1)) return { apiVersion, kind };
  const { status, ...object } = decodeMessage(message, raw);
  const isEmpty = isJsonObject(status) && Object.keys(status).length === 0;
  const value = { apiVersion, kind, ...object, ...(status !== undefined && !isEmpty && { status }) };
  checkParsed(value);
  return value;
}
