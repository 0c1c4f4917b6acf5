import { create, toBinary } from '@bufbuild/protobuf';
import { NodeStatsSchema } from '../../proto/gen/holdfast/v1/link_pb.ts';
import type { Usage } from '../usage/usage.ts';
import type { DeviceUsage } from '../usage/usage-meter.ts';
import type { StreamSource } from './source.ts';

/** What the device uses, as a stream of one message. */
export function statsSource({ device, containers }: DeviceUsage): StreamSource {
  const stats = create(NodeStatsSchema, {
    ...(device && { device: messageOf(device) }),
    containers: containers.map(({ usage, ...container }) => ({ ...container, usage: messageOf(usage) })),
  });
  return { output: only(toBinary(NodeStatsSchema, stats)) };
}

function messageOf({ cpuNanocores, windowMs, workingSetBytes }: Usage) {
  return { cpuNanocores: BigInt(cpuNanocores), windowMs, workingSetBytes: BigInt(workingSetBytes) };
}

async function* only(data: Uint8Array) {
  yield { channel: 0, data, last: true };
}
