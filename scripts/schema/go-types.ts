/*
 * Go programs carry a description of their types for reflection: names, fields, and the tags of the fields. For the
 * Kubernetes API these say what no published document says in one place: a field's number in protobuf, its name in
 * JSON, whether it is a pointer, and which structs are flat in JSON but not in protobuf.
 */

export type GoType =
  | { readonly kind: 'bool' | 'int' | 'float' | 'string' | 'other' }
  | { readonly kind: 'pointer' | 'slice' | 'map'; readonly of: GoType }
  | { readonly kind: 'bytes' }
  | { readonly kind: 'struct'; readonly package: string; readonly name: string };

export interface GoField {
  readonly name: string;
  /** `json:"name,omitempty" protobuf:"bytes,1,opt,name=name"` */
  readonly tag: string;
  readonly type: GoType;
}

export interface GoStruct {
  /** `k8s.io/api/core/v1` */
  readonly package: string;
  readonly name: string;
  readonly fields: readonly GoField[];
}

/* Numbers of Go's reflect.Kind. */
const BOOL = 1;
const INTS = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
const UINT8 = 8;
const FLOATS = [13, 14];
const MAP = 21;
const POINTER = 22;
const SLICE = 23;
const STRING = 24;
const STRUCT = 25;

/* What stands where in a type's description (internal/abi of Go 1.24, 64 bits). */
const FLAGS_AT = 20;
const KIND_AT = 23;
const KIND_BITS = 31;
const NAME_AT = 40;
const ELEMENT_AT = 48;
const MAP_VALUE_AT = 56;
const STRUCT_FIELDS_AT = 56;
const STRUCT_SIZE = 80;
const FIELD_SIZE = 24;
const HAS_PACKAGE = 1;
const HAS_EXTRA_STAR = 2;
const HAS_TAG = 2;

/** Where a part of the program is in memory when it runs, and where in its file. */
interface Section {
  readonly address: number;
  readonly offset: number;
  readonly size: number;
}

/** Sections of a 64-bit ELF file by name. */
function sectionsOf(program: Buffer): Map<string, Section> {
  if (program.toString('latin1', 0, 6) !== '\x7fELF\x02\x01')
    throw new Error('the program is no 64-bit ELF file');
  const long = (at: number) => Number(program.readBigUInt64LE(at));
  const [start, size, count] = [long(40), program.readUInt16LE(58), program.readUInt16LE(60)];
  const headers = Array.from({ length: count }, (_, index) => start + index * size);
  const names = long((headers[program.readUInt16LE(62)] ?? 0) + 24);
  return new Map(
    headers.map((at) => {
      const from = names + program.readUInt32LE(at);
      const name = program.toString('latin1', from, program.indexOf(0, from));
      return [name, { address: long(at + 16), offset: long(at + 24), size: long(at + 32) }];
    }),
  );
}

/** Reads types out of a Go program. Places are offsets into its file. */
class TypeReader {
  readonly #program: Buffer;
  readonly #types: Section;

  constructor(program: Buffer, types: Section) {
    this.#program = program;
    this.#types = types;
  }

  /** Where a type begins, by its distance from the first. */
  typeAt(distance: number): number {
    return this.#types.offset + distance;
  }

  kindOf(type: number): number {
    return this.#program.readUInt8(type + KIND_AT) & KIND_BITS;
  }

  element(type: number): number {
    return this.#pointer(type + ELEMENT_AT);
  }

  packageOf(struct: number): string {
    return this.#nameOf(struct).package;
  }

  structAt(type: number): GoStruct {
    const first = this.#pointer(type + STRUCT_FIELDS_AT);
    const count = Number(this.#program.readBigUInt64LE(type + STRUCT_FIELDS_AT + 8));
    const fields = Array.from({ length: count }, (_, index) => this.#field(first + index * FIELD_SIZE));
    return { ...this.#nameOf(type), fields };
  }

  #nameOf(type: number): { package: string; name: string } {
    const flags = this.#program.readUInt8(type + FLAGS_AT);
    if (!(flags & HAS_PACKAGE)) return { package: '', name: '' };
    const { text } = this.#name(this.typeAt(this.#program.readInt32LE(type + NAME_AT)));
    const { text: path } = this.#name(this.typeAt(this.#program.readInt32LE(type + STRUCT_SIZE)));
    return { package: path, name: text.slice(flags & HAS_EXTRA_STAR ? 1 : 0).replace(/^[^.]*\./, '') };
  }

  #field(at: number): GoField {
    const { text, tag } = this.#name(this.#pointer(at));
    return { name: text, tag, type: this.#type(this.#pointer(at + 8)) };
  }

  #type(type: number): GoType {
    const kind = this.kindOf(type);
    if (kind === POINTER) return { kind: 'pointer', of: this.#type(this.element(type)) };
    if (kind === MAP) return { kind: 'map', of: this.#type(this.#pointer(type + MAP_VALUE_AT)) };
    if (kind === SLICE) {
      const element = this.element(type);
      return this.kindOf(element) === UINT8 ? { kind: 'bytes' } : { kind: 'slice', of: this.#type(element) };
    }
    if (kind === STRUCT) return { kind: 'struct', ...this.#nameOf(type) };
    if (kind === BOOL) return { kind: 'bool' };
    if (kind === STRING) return { kind: 'string' };
    if (INTS.includes(kind)) return { kind: 'int' };
    return { kind: FLOATS.includes(kind) ? 'float' : 'other' };
  }

  /** A name: flags, length, text; then, if it is flagged, length and text of a tag. */
  #name(at: number): { text: string; tag: string } {
    const [text, end] = this.#text(at + 1);
    const [tag] = this.#program.readUInt8(at) & HAS_TAG ? this.#text(end) : [''];
    return { text, tag };
  }

  #text(at: number): [text: string, end: number] {
    let [length, from] = [0, at];
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#program.readUInt8(from++);
      length += (byte & 127) * scale;
      if (byte < 128) return [this.#program.toString('utf8', from, from + length), from + length];
    }
  }

  #pointer(at: number): number {
    return Number(this.#program.readBigUInt64LE(at)) - this.#types.address + this.#types.offset;
  }
}

/** The structs of some packages that a Go program holds pointers to, which is every struct that it decodes. */
export function readStructs(program: Buffer, isWanted: (path: string) => boolean): GoStruct[] {
  const sections = sectionsOf(program);
  const [types, links] = [sections.get('.rodata'), sections.get('.typelink')];
  if (!types || !links) throw new Error('the program has no Go types');
  const reader = new TypeReader(program, types);
  const distances = Array.from({ length: links.size / 4 }, (_, index) =>
    program.readInt32LE(links.offset + index * 4),
  );
  return distances
    .map((distance) => reader.typeAt(distance))
    .filter((type) => reader.kindOf(type) === POINTER)
    .map((pointer) => reader.element(pointer))
    .filter((type) => reader.kindOf(type) === STRUCT && isWanted(reader.packageOf(type)))
    .map((type) => reader.structAt(type));
}
