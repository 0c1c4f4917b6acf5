const BLOCK_BYTES = 512;
const NAME_BYTES = 100;
const TYPE_FLAGS = { file: '0', link: '2', directory: '5' } as const;

export interface TarHeader {
  /** Without a slash in front. */
  readonly path: string;
  readonly type: keyof typeof TYPE_FLAGS;
  readonly mode: number;
  readonly size?: number;
  /** Of a link. */
  readonly target?: string;
}

/** What stands before a file in a ustar archive. It belongs to root and is as old as 1970. Throws for a name that is too long. */
export function tarHeader({ path, type, mode, size = 0, target = '' }: TarHeader): Buffer {
  for (const name of [path, target]) {
    if (Buffer.byteLength(name) > NAME_BYTES)
      throw new Error(`a name in an archive must have at most ${NAME_BYTES} bytes, has more: "${name}"`);
  }
  const block = Buffer.alloc(BLOCK_BYTES);
  const number = (value: number, at: number, digits: number) =>
    block.write(`${value.toString(8).padStart(digits, '0')}\0`, at);
  block.write(path, 0);
  number(mode, 100, 7);
  number(0, 108, 7); // owner
  number(0, 116, 7); // group
  number(size, 124, 11);
  number(0, 136, 11); // time
  block.write('        ', 148); // the checksum counts as spaces while it is summed
  block.write(TYPE_FLAGS[type], 156);
  block.write(target, 157);
  block.write('ustar\0', 257);
  block.write('00', 263);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}
