/** What must be true of the address of a container engine, when it is not. */
export function engineAddressProblem(text: string): string | undefined {
  const isSocket = /^unix:\/\/\/./.test(text);
  return isSocket || isHost(text) ? undefined : 'must look like unix:///path or tcp://host:port';
}

function isHost(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined && url.protocol === 'tcp:' && url.hostname !== '';
}
