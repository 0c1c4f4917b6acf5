import type { PodStream } from '../pod-streams.ts';
import type { ClientChannels } from './client-channels.ts';
import { failureOf, outcomeOf } from './outcome.ts';

/** Copies between a client and a process until either is gone. Neither is sent more than it takes. */
export async function join(client: ClientChannels, stream: PodStream): Promise<void> {
  const fed = feed(client, stream);
  try {
    for await (const chunk of stream.output) await client.send(chunk);
    await client.finish(outcomeOf(stream.exitCode));
  } catch (error) {
    await client.finish(failureOf(error));
  } finally {
    stream.close();
  }
  await fed;
}

async function feed(client: ClientChannels, stream: PodStream): Promise<void> {
  try {
    for await (const chunk of client.incoming) await stream.write(chunk);
  } catch {
    // What it sent is not what was agreed on: its connection is closed with that.
  }
  stream.close(); // the client is gone
}
