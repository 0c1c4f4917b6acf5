import { Readable } from 'node:stream';
import type { AedesPublishPacket } from 'aedes';

/** The part of a broker's memory that holds retained messages. */
export interface RetainedMessages {
  storeRetained(packet: AedesPublishPacket): Promise<void>;
  createRetainedStreamCombi(patterns: readonly string[]): Readable;
}

/**
 * Makes the broker find retained messages by their topic. By itself it compares every one of them with each subscription:
 * among 10,000 devices, that was most of what the hub did while they connected.
 */
export function indexRetainedMessages(memory: RetainedMessages): void {
  const byTopic = new Map<string, AedesPublishPacket>();
  const { storeRetained, createRetainedStreamCombi } = memory;
  memory.storeRetained = async (packet) => {
    await storeRetained.call(memory, packet);
    if (packet.payload.length === 0) byTopic.delete(packet.topic);
    else byTopic.set(packet.topic, { ...packet });
  };
  memory.createRetainedStreamCombi = (patterns) => {
    if (patterns.some(hasWildcard)) return createRetainedStreamCombi.call(memory, patterns);
    return Readable.from(patterns.flatMap((topic) => byTopic.get(topic) ?? []));
  };
}

function hasWildcard(pattern: string): boolean {
  return /[+#]/.test(pattern);
}
