import type { Readable } from 'node:stream';
import { HOLDS_LABEL, NODE_LABEL } from './labels.ts';
import { linesOf } from './lines.ts';
import type { ContainerChange, ImagesChange, NetworkLoss } from './runtime.ts';

/** Changes of a container after which it must be looked at again; Podman knows two of them by names of its own. */
const CONTAINER_EVENTS = ['start', 'die', 'died', 'oom', 'destroy', 'remove', 'rename'];
const IMAGE_EVENTS = ['pull', 'load', 'loadfromarchive', 'import', 'tag', 'untag', 'delete'];

/** Which events are asked for. Networks and images have no labels to ask for. */
export const EVENT_FILTERS = {
  type: ['container', 'network', 'image'],
  event: [...CONTAINER_EVENTS, ...IMAGE_EVENTS],
};

interface EngineEvent {
  readonly Type?: string;
  readonly Action?: string;
  readonly Actor?: { readonly ID?: string; readonly Attributes?: Readonly<Record<string, string>> };
  readonly timeNano?: number;
}

/** What the events say that a stream of them tells, of the containers of the node. */
export async function* changesOf(
  stream: Readable,
  node: string,
): AsyncIterable<ContainerChange | NetworkLoss | ImagesChange> {
  for await (const line of linesOf(stream)) {
    const { Type, Action, Actor, timeNano = 0 } = JSON.parse(line) as EngineEvent;
    const { ID: id, Attributes = {} } = Actor ?? {};
    if (Type === 'network') yield { lostNetwork: Attributes['name'] ?? '' };
    if (Type === 'image') yield { changedImages: true };
    if (!id || Attributes[NODE_LABEL] !== node) continue;
    const held = Attributes[HOLDS_LABEL];
    if (held !== undefined) {
      if (Action !== 'start') yield { lostNetwork: held };
      continue;
    }
    const { exitCode } = Attributes;
    const ended = Action === 'die' && exitCode !== undefined;
    yield ended ? { id, ended: { exitCode: Number(exitCode), atMs: timeNano / 1e6 } } : { id };
  }
}
