import {
  create,
  createFileRegistry,
  type DescField,
  type DescMessage,
  fromBinary,
  type Message,
  type Registry,
  ScalarType,
  toBinary,
} from '@bufbuild/protobuf';
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt';
import { readDescriptorFiles } from '../../../scripts/schema/descriptors.ts';

/*
 * Messages written by a protobuf library after the published descriptors of the API: neither shares code or tables with
 * what reads them in the hub.
 */

const GOGO = /^github\.com\/gogo\//;

function readRegistry(): Registry {
  const files = new Map(
    readDescriptorFiles().map((bytes) => {
      const proto = fromBinary(FileDescriptorProtoSchema, bytes);
      // Its options say how Go is to be generated, and nothing of the messages.
      proto.dependency = proto.dependency.filter((name) => !GOGO.test(name));
      return [proto.name, proto];
    }),
  );
  const ordered = new Set<FileDescriptorProto>();
  const add = (name: string) => {
    const file = files.get(name);
    if (!file || ordered.has(file)) return;
    file.dependency.forEach(add);
    ordered.add(file);
  };
  for (const name of files.keys()) add(name);
  return createFileRegistry(create(FileDescriptorSetSchema, { file: [...ordered] }));
}

const registry = readRegistry();

/** The descriptor of a component's message; undefined if none is published. */
export function descriptorOf(component: string): DescMessage | undefined {
  return registry.getMessage(component.replace(/^io\.k8s/, 'k8s.io'));
}

/** What is sent as a field; `depth` is how many messages it is in. */
type Filler = (field: DescField, depth: number) => unknown;

/** Every field set to something that is not zero; of messages within themselves, only the outer ones. */
const full: Filler = (field, depth) => {
  switch (field.fieldKind) {
    case 'message':
      return messageOf(field.message, depth);
    case 'list':
      if (field.listKind === 'message') return [messageOf(field.message, depth)];
      return field.listKind === 'scalar' ? [scalarOf(field.scalar)] : [];
    case 'map':
      return {
        key:
          field.mapKind === 'message'
            ? messageOf(field.message, depth)
            : field.mapKind === 'scalar' && scalarOf(field.scalar),
      };
    case 'enum':
      return 0;
    default:
      return scalarOf(field.scalar);
  }
};

function scalarOf(type: ScalarType): unknown {
  switch (type) {
    case ScalarType.STRING:
      return '1'; // a quantity too
    case ScalarType.BOOL:
      return true;
    case ScalarType.BYTES:
      return Buffer.from('{"a":1}'); // raw JSON too
    case ScalarType.INT64:
      return 1n;
    default:
      return 1;
  }
}

const MAX_DEPTH = 20;

function messageOf(descriptor: DescMessage, depth = 0): Message {
  const fields = depth < MAX_DEPTH ? descriptor.fields : [];
  return create(
    descriptor,
    Object.fromEntries(fields.map((field) => [field.localName, full(field, depth + 1)])),
  );
}

/** The bytes of a message with all of its fields. */
export function fullMessage(descriptor: DescMessage): Uint8Array {
  return toBinary(descriptor, messageOf(descriptor));
}

/** A message as a library writes it that is given these fields (names as in JavaScript). */
export function messageWith(component: string, fields: Record<string, unknown>): Uint8Array {
  const descriptor = descriptorOf(component);
  if (!descriptor) throw new Error(`no descriptor of ${component} is published`);
  return toBinary(descriptor, create(descriptor, fields));
}

/** `k8s\0` and `runtime.Unknown`: a request's body. */
export function envelope(apiVersion: string, kind: string, raw: Uint8Array): Buffer {
  const unknown = messageWith('io.k8s.apimachinery.pkg.runtime.Unknown', {
    typeMeta: { $typeName: 'k8s.io.apimachinery.pkg.runtime.TypeMeta', apiVersion, kind },
    raw,
  });
  return Buffer.concat([Buffer.from('k8s\0'), unknown]);
}
