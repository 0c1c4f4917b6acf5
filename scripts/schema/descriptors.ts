import { inflateRawSync } from 'node:zlib';
import { readProgram } from './programs.ts';

/** What the generator needs of a protobuf message: its name, and the message type of each field that has one. */
export interface MessageDescriptor {
  /** `k8s.io.api.core.v1` */
  readonly package: string;
  readonly name: string;
  /** Field names as JSON has them; the value is the full name of the field's message type, else `undefined`. */
  readonly fields: ReadonlyMap<string, string | undefined>;
}

/** A gzip header without any optional part, as Go writes it, and the bytes it has in all. */
const GZIP_MAGIC = Buffer.from([0x1f, 0x8b, 0x08, 0x00]);
const GZIP_HEADER_BYTES = 10;
/** More than any compressed descriptor has; the end of a member is not known beforehand. */
const MAX_COMPRESSED_BYTES = 512 * 1024;

type Value = number | Buffer;

/** Reads the fields of one protobuf message: only the wire types that descriptors contain (varint, length-delimited). */
function* readFields(buffer: Buffer): Generator<[field: number, value: Value]> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = buffer.readUInt8(at++);
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < buffer.length) {
    const tag = varint();
    const wireType = tag & 7;
    if (wireType !== 0 && wireType !== 2) throw new Error(`unexpected protobuf wire type ${wireType}`);
    const number = varint();
    if (wireType === 2) at += number;
    yield [tag >>> 3, wireType === 0 ? number : buffer.subarray(at - number, at)];
  }
}

function fieldOf(message: Buffer, wanted: number): string | undefined {
  for (const [field, value] of readFields(message)) {
    if (field === wanted && typeof value !== 'number') return value.toString();
  }
  return undefined;
}

function childrenOf(message: Buffer, wanted: number): Buffer[] {
  return [...readFields(message)]
    .filter(([field]) => field === wanted)
    .map(([, value]) => value)
    .filter((value) => typeof value !== 'number');
}

/** Type names of `FieldDescriptorProto`s (1 name, 6 type_name, 10 json_name); map entries count as their values. */
function readMessage(packageName: string, message: Buffer): MessageDescriptor {
  const name = fieldOf(message, 1) ?? '';
  const entries = new Map<string, string | undefined>(
    childrenOf(message, 3).map((entry) => {
      const [, value] = childrenOf(entry, 2);
      return [`.${packageName}.${name}.${fieldOf(entry, 1)}`, value && fieldOf(value, 6)];
    }),
  );
  const fields = new Map<string, string | undefined>();
  for (const field of childrenOf(message, 2)) {
    const type = fieldOf(field, 6);
    const target = type !== undefined && entries.has(type) ? entries.get(type) : type;
    fields.set(fieldOf(field, 10) ?? fieldOf(field, 1) ?? '', target?.slice(1));
  }
  return { package: packageName, name, fields };
}

/** Whether this is a FileDescriptorProto (1 name) of the Kubernetes API. */
function isApiFile(file: Buffer): boolean {
  return file[0] === 10 && /^k8s\.io\/.*\.proto$/.test(file.subarray(2, 2 + (file[1] ?? 0)).toString());
}

/** The messages of a FileDescriptorProto (2 package, 4 message_type). */
function readFile(file: Buffer): MessageDescriptor[] {
  const packageName = fieldOf(file, 2) ?? '';
  return childrenOf(file, 4).map((message) => readMessage(packageName, message));
}

/** Unpacks one gzip member. zlib's own gunzip would go on into the next member, which may follow directly. */
function gunzip(data: Buffer): Buffer | undefined {
  try {
    return inflateRawSync(data.subarray(GZIP_HEADER_BYTES));
  } catch {
    return undefined; // bytes that only look like a header
  }
}

/** The kubectl binary holds a compressed FileDescriptorProto of every protobuf file of the Kubernetes API. */
export function readDescriptorFiles(): Buffer[] {
  const program = readProgram('kubectl');
  const files: Buffer[] = [];
  for (let at = program.indexOf(GZIP_MAGIC); at >= 0; at = program.indexOf(GZIP_MAGIC, at + 1)) {
    const file = gunzip(program.subarray(at, at + MAX_COMPRESSED_BYTES));
    if (file && isApiFile(file)) files.push(file);
  }
  return files;
}

/** The messages of the Kubernetes API. */
export function readDescriptors(): MessageDescriptor[] {
  return readDescriptorFiles().flatMap(readFile);
}
