import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';

export interface Ports {
  readonly api: number;
  readonly grpc: number;
  readonly mqtt: number;
}

/** Those of the hub's documentation. */
const DEFAULTS: Ports = { api: 6443, grpc: 6444, mqtt: 8883 };
const ADDRESS = '127.0.0.1';

/**
 * The hub's ports: those of its first start, which agents and kubeconfigs know, or the defaults where they are free and
 * others where they are not, remembered from then on.
 */
export async function choosePorts(file: string, defaults: Ports = DEFAULTS): Promise<Ports> {
  const known = readPorts(file);
  if (known) {
    for (const port of Object.values(known)) {
      if ((await freePort(port)) !== port)
        throw new Error(
          `port ${port} belongs to this hub and another program uses it: stop that program, or start anew with "npm run clean"`,
        );
    }
    return known;
  }
  const ports = {
    api: (await freePort(defaults.api)) ?? (await anyPort()),
    grpc: (await freePort(defaults.grpc)) ?? (await anyPort()),
    mqtt: (await freePort(defaults.mqtt)) ?? (await anyPort()),
  };
  writeFileSync(file, `${JSON.stringify(ports)}\n`);
  return ports;
}

function readPorts(file: string): Ports | undefined {
  try {
    const { api, grpc, mqtt } = JSON.parse(readFileSync(file, 'utf8')) as Ports;
    return [api, grpc, mqtt].every((port) => Number.isInteger(port) && port > 0)
      ? { api, grpc, mqtt }
      : undefined;
  } catch {
    return undefined; // none yet, or cut off while it was written
  }
}

async function anyPort(): Promise<number> {
  const port = await freePort(0);
  if (!port) throw new Error(`no port is free on ${ADDRESS}: stop some programs`);
  return port;
}

/** The port, or for 0 any, if nothing listens on it. */
function freePort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, ADDRESS, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? address?.port : undefined));
    });
  });
}
