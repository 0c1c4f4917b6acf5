const BLOCK_BYTES = 512;
const NAME_BYTES = 100;

/** A thing in an archive; its path has no slash in front. */
export type TarEntry =
  | { readonly type: 'file'; readonly path: string; readonly mode: number; readonly content: Buffer }
  | { readonly type: 'directory'; readonly path: string; readonly mode: number }
  | { readonly type: 'link'; readonly path: string; readonly target: string };

const TYPE_FLAGS = { file: '0', link: '2', directory: '5' } as const satisfies Record<
  TarEntry['type'],
  string
>;

/** A ustar archive. Everything belongs to root and is as old as 1970: the same entries always give the same bytes. */
export function tarOf(entries: readonly TarEntry[]): Buffer {
  const blocks = entries.flatMap((entry) => {
    if (entry.type !== 'file') return [header(entry)];
    const { content } = entry;
    return [header(entry), content, Buffer.alloc(-content.length & (BLOCK_BYTES - 1))];
  });
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK_BYTES)]);
}

function header(entry: TarEntry): Buffer {
  const { path, type } = entry;
  const target = type === 'link' ? entry.target : '';
  for (const name of [path, target]) {
    if (Buffer.byteLength(name) > NAME_BYTES)
      throw new Error(`a name in an archive must have at most ${NAME_BYTES} bytes, has more: "${name}"`);
  }
  const block = Buffer.alloc(BLOCK_BYTES);
  const number = (value: number, at: number, digits: number) =>
    block.write(`${value.toString(8).padStart(digits, '0')}\0`, at);
  block.write(path, 0);
  number(type === 'link' ? 0o777 : entry.mode, 100, 7);
  number(0, 108, 7); // owner
  number(0, 116, 7); // group
  number(type === 'file' ? entry.content.length : 0, 124, 11);
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
