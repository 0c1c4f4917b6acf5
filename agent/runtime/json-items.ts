import { StringDecoder } from 'node:string_decoder';

/**
 * The objects of a JSON list, one by one as they come: of an answer that may be long, no more than one is in memory.
 * Throws what the stream ends with; what is cut off is not an item.
 */
export async function* itemsOf(stream: AsyncIterable<unknown>): AsyncGenerator<unknown> {
  const decoder = new StringDecoder('utf8');
  let text = '';
  let depth = 0;
  let inString = false;
  let isEscaped = false;
  for await (const chunk of stream) {
    let start = 0;
    const at = text.length;
    text += decoder.write(chunk as Buffer);
    for (let index = at; index < text.length; index += 1) {
      const character = text[index];
      if (isEscaped) isEscaped = false;
      else if (character === '"') inString = !inString;
      else if (inString) isEscaped = character === '\\';
      else if (character === '{') {
        if (depth === 0) start = index;
        depth += 1;
      } else if (character === '}') {
        depth -= 1;
        if (depth === 0) {
          yield JSON.parse(text.slice(start, index + 1));
          start = index + 1;
        }
      }
    }
    text = depth === 0 ? '' : text.slice(start);
  }
}
