const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?$/;

/**
 * `host[:port]` by which a client has reached this hub, if its `Host` header is nothing but that: it becomes a part of a
 * script. Otherwise `own`. Pure.
 */
export function addressAsked(header: string | undefined, own: string): string {
  return header !== undefined && HOST.test(header) ? header : own;
}
