import { chmod, mkdir, open, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ContainerIdentity, ObservedContainer, Runtime } from '../runtime/runtime.ts';
import { ownContainersOf, type Pod } from './pod.ts';
import type { VolumeRoots } from './volumes.ts';

/*
 * What a container leaves to say about its end: a file that it may write, or the end of its log.
 * https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/
 */

export const DEFAULT_MESSAGE_PATH = '/dev/termination-log';
const MAX_BYTES = 4096;
const MAX_BYTES_OF_POD = 12 * 1024;
const LOG = { lines: 80, bytes: 2048 };

/** Where one attempt of a container writes it, on the device. */
export function messageFile(
  { podUid, container, attempt }: Pick<ContainerIdentity, 'podUid' | 'container' | 'attempt'>,
  roots: VolumeRoots,
): string {
  return join(roots.data, 'pods', podUid, 'messages', `${container}.${attempt}`);
}

/** Empty, for any user that the container may run as. */
export async function makeMessageFile(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o711 });
  await writeFile(path, '');
  await chmod(path, 0o666);
}

export async function removeMessageFile(path: string): Promise<void> {
  await rm(path, { force: true });
}

/** Undefined when there is none. Rejects when the engine does not answer. */
export async function readMessage(
  ended: ObservedContainer,
  pod: Pod | undefined,
  runtime: Pick<Runtime, 'logs'>,
  roots: VolumeRoots,
): Promise<string | undefined> {
  const containers = pod ? ownContainersOf(pod) : [];
  const spec = containers.find(({ name }) => name === ended.container);
  const room = Math.min(MAX_BYTES, Math.floor(MAX_BYTES_OF_POD / Math.max(1, containers.length)));
  const written = await endOfFile(messageFile(ended, roots), room);
  if (written || ended.exitCode === 0 || spec?.terminationMessagePolicy !== 'FallbackToLogsOnError')
    return written || undefined;
  return (await endOfLog(ended.id, runtime, Math.min(room, LOG.bytes))) || undefined;
}

async function endOfFile(path: string, bytes: number): Promise<string> {
  const file = await open(path).catch(() => undefined); // a container of an agent that knew nothing of this
  if (!file) return '';
  try {
    const { size } = await file.stat();
    const length = Math.min(size, bytes);
    const { buffer } = await file.read({ buffer: Buffer.alloc(length), position: size - length });
    return buffer.toString();
  } finally {
    await file.close();
  }
}

async function endOfLog(id: string, runtime: Pick<Runtime, 'logs'>, bytes: number): Promise<string> {
  const options = { follow: false, timestamps: false, tailLines: LOG.lines };
  let kept: Buffer = Buffer.alloc(0);
  for await (const chunk of await runtime.logs(id, options, AbortSignal.timeout(10_000)))
    kept = Buffer.concat([kept, chunk]).subarray(-bytes);
  return kept.toString();
}
