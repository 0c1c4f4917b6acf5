import { StringDecoder } from 'node:string_decoder';

/**
 * The lines of a stream of bytes. Throws what the stream ends with: `readline` would emit it where nobody listens, and
 * end the process.
 */
export async function* linesOf(stream: AsyncIterable<unknown>): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + decoder.write(chunk as Buffer)).split('\n');
    rest = lines.pop() ?? '';
    yield* lines.filter((line) => line.trim() !== '');
  }
  if (rest.trim() !== '') yield rest;
}
