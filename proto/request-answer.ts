/*
 * A message of a device that answers a request to itself, as in an event or a condition: it names the request, for there
 * may have been others.
 */

export function answerTo(id: string, text: string): string {
  return `${text}${suffixOf(id)}`;
}

/** What a message says to a request; undefined when it is about another. */
export function answerOf(id: string, message: string): string | undefined {
  return message.endsWith(suffixOf(id)) ? message.slice(0, -suffixOf(id).length) : undefined;
}

function suffixOf(id: string): string {
  return ` (request ${id})`;
}
