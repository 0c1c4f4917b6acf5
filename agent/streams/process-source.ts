import type { AttachedProcess } from '../runtime/runtime.ts';
import type { Chunk, StreamSource } from './source.ts';

const STDIN = 0;
const RESIZE = 4;
const NOTHING = new Uint8Array();

/** A process as a stream: its output on the wanted channels, what comes in on stdin and as sizes of its terminal. */
export function processSource(process: AttachedProcess, wanted: readonly number[]): StreamSource {
  return {
    output: outputOf(process, wanted),
    input: (chunk) => take(process, chunk),
    exitCode: () => process.exitCode(),
  };
}

async function* outputOf(process: AttachedProcess, wanted: readonly number[]): AsyncGenerator<Chunk> {
  for await (const { channel, data } of process.output) {
    if (wanted.includes(channel)) yield { channel, data, last: false };
  }
  for (const channel of wanted) yield { channel, data: NOTHING, last: true };
}

async function take(process: AttachedProcess, { channel, data, last }: Chunk): Promise<void> {
  if (channel === RESIZE) {
    const size = sizeOf(data);
    // A terminal that is gone already needs no size: its end is told by its output.
    if (size) await process.resize(size.columns, size.rows).catch(() => {});
    return;
  }
  if (channel !== STDIN) return;
  if (data.length > 0) await process.write(data);
  if (last) process.endInput();
}

/** `{"Width":80,"Height":24}`; undefined for what is none, which changes nothing. */
function sizeOf(json: Uint8Array): { columns: number; rows: number } | undefined {
  try {
    const { Width, Height } = JSON.parse(new TextDecoder().decode(json)) as Record<string, unknown>;
    const isSize = (value: unknown): value is number =>
      Number.isInteger(value) && (value as number) > 0 && (value as number) <= 0xffff;
    return isSize(Width) && isSize(Height) ? { columns: Width, rows: Height } : undefined;
  } catch {
    return undefined;
  }
}
