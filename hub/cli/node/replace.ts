import { readinessOf } from '../../resources/node-matching.ts';
import { KEY_ANNOTATION } from '../../security/node-identity.ts';
import type { Command } from '../command.ts';
import { findNode } from './find-nodes.ts';

export const replace: Command = {
  arguments: 'NAME',
  takes: [1, 1],
  about: 'a token with which one new device takes the place of a node: its name, labels, taints and pods',
  flags: { ttl: { type: 'string', value: 'TIME', about: 'how long the token is good: 30m, 24h (1h)' } },
  examples: ['press-17', 'press-17 --ttl 24h > token'],
  isClusterWide: true,
  run: async (call) => {
    const [name = ''] = call.arguments;
    // What tokens are made of is loaded by who needs it only.
    const [{ newJoinToken }, { parseTtl, storeToken }] = await Promise.all([
      import('../../security/join-tokens.ts'),
      import('../token.ts'),
    ]);
    const ttlMs = parseTtl(call.text('ttl') ?? '1h');
    const node = await findNode(call.client, name);
    const key = node.metadata.annotations?.[KEY_ANNOTATION] ?? '';
    const replaces = { node: name, key };
    const made = newJoinToken({ ttlMs, uses: 1, description: `replaces ${name}`, replaces }, call.now);
    call.print(await storeToken(call.client, made));
    if (readinessOf(node) === 'True')
      call.warn(`Warning: ${name} is connected: its device is refused once the new one has joined`);
    call.warn(`On the new device: holdfast-agent join --hub HOST --token-file FILE --node-name ${name}`);
    return undefined;
  },
};
