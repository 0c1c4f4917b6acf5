import type { Container } from 'kubernetes-types/core/v1.d.ts';
import t from 'tap';
import { lackOfRoom } from '../../../agent/resources/room.ts';
import { container, makePod } from '../builders.ts';

const asks = (name: string, requests: Record<string, string>, rest: object = {}): Container =>
  container(name, { resources: { requests }, ...rest } as Partial<Container>);
const pod = (requests: Record<string, string>) => makePod({ containers: [asks('main', requests)] });

t.test('what of a node is used up', async (t) => {
  const two = makePod({ containers: [asks('a', { cpu: '300m' }), asks('b', { cpu: '0.2', memory: '1Ki' })] });
  const first = makePod({ initContainers: [asks('i', { cpu: '2' })], containers: [asks('a', { cpu: '1' })] });
  const sidecar = makePod({
    initContainers: [
      asks('i', { cpu: '500m' }),
      asks('s', { cpu: '1' }, { restartPolicy: 'Always' }),
      asks('j', { cpu: '1' }),
    ],
    containers: [asks('a', { cpu: '600m' })],
    overhead: { cpu: '100m' },
  });
  const words = (resource: string, requested: number, used: number, capacity: number) => ({
    reason: `OutOf${resource}`,
    message: `Node didn't have enough resource: ${resource}, requested: ${requested}, used: ${used}, capacity: ${capacity}`,
  });
  for (const [what, wanted, others, allocatable, lack] of [
    ['it fits exactly', two, [two], { cpu: '1', memory: '2Ki', pods: '2' }, undefined],
    ['one pod too many', two, [two], { cpu: '9', memory: '2Ki', pods: '1' }, words('pods', 1, 1, 1)],
    ['processors', two, [two], { cpu: '999m' }, words('cpu', 500, 500, 999)],
    ['memory', pod({ memory: '1Mi' }), [], { memory: '512Ki' }, words('memory', 1048576, 0, 524288)],
    [
      'disk',
      pod({ 'ephemeral-storage': '1k' }),
      [],
      { 'ephemeral-storage': '0' },
      words('ephemeral-storage', 1000, 0, 0),
    ],
    ['who asks for nothing fits where others have too much', makePod({}), [two], { cpu: '1m' }, undefined],
    ['what is not known is not limited', two, [two], {}, undefined],
    ['resources of others are not ours to count', pod({ 'a.b/c': '5' }), [], { cpu: '1' }, undefined],
    ['an init container runs alone', first, [], { cpu: '1900m' }, words('cpu', 2000, 0, 1900)],
    [
      'a sidecar stays beside the next, and the overhead is on top',
      sidecar,
      [],
      { cpu: '2' },
      words('cpu', 2100, 0, 2000),
    ],
  ] as const)
    t.same(lackOfRoom(wanted, others, allocatable), lack, what);
});
