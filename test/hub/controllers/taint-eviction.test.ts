import t from 'tap';
import { podsToEvict } from '../../../hub/controllers/taint-eviction/taint-eviction-plan.ts';
import { events, nodes, pods, replicaSets } from '../../../hub/resources/table-of-resources.ts';
import type { NodeObject, PodObject } from '../../../hub/resources/typed.ts';
import { barePod, Cluster, template } from './cluster.ts';

const OUT = { key: 'out', value: 'yes', effect: 'NoExecute' };

function isEvicted(taints: object[], tolerations: object[], traits: object = {}): boolean {
  const node = { metadata: { name: 'n1' }, spec: { taints } } as unknown as NodeObject;
  const pod = { metadata: {}, spec: { tolerations }, ...traits } as unknown as PodObject;
  return podsToEvict(node, [pod]).length > 0;
}

t.test('who may stay on a tainted node', async (t) => {
  const cases: [string, boolean, Parameters<typeof isEvicted>][] = [
    ['no taint', false, [[], []]],
    ['one that only keeps new pods away', false, [[{ ...OUT, effect: 'NoSchedule' }], []]],
    ['one that drives away', true, [[OUT], []]],
    ['tolerated', false, [[OUT], [{ key: 'out', operator: 'Exists' }]]],
    ['another value is tolerated', true, [[OUT], [{ key: 'out', value: 'no' }]]],
    ['another effect is tolerated', true, [[OUT], [{ operator: 'Exists', effect: 'NoSchedule' }]]],
    ['tolerated for some time', false, [[OUT], [{ operator: 'Exists', tolerationSeconds: 1 }]]],
    ['one of two is tolerated', true, [[OUT, { ...OUT, key: 'b' }], [{ key: 'out', operator: 'Exists' }]]],
    ['ended', false, [[OUT], [], { status: { phase: 'Succeeded' } }]],
    ['going already', false, [[OUT], [], { metadata: { deletionTimestamp: 'x' } }]],
  ];
  for (const [name, wanted, given] of cases) t.equal(isEvicted(...given), wanted, name);
});

t.test(
  'a taint drives pods to other nodes, away from this one and not from a device that is away',
  async (t) => {
    const cluster = await Cluster.start(t);
    await cluster.addNode('n1');
    await cluster.create(pods, barePod('hardy', { tolerations: [{ operator: 'Exists' }] }));
    await cluster.create(replicaSets, {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { name: 'web', namespace: 'default' },
      spec: { replicas: 2, selector: { matchLabels: { app: 'web' } }, template: template('web') },
    });
    const on = (node: string) =>
      cluster
        .list<PodObject>(pods)
        .filter(({ spec, metadata }) => spec.nodeName === node && !metadata.deletionTimestamp).length;
    await cluster.until('all are bound', () => on('n1') === 3);
    const away = { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' as const };
    const taint = (taints: NonNullable<NonNullable<NodeObject['spec']>['taints']>) =>
      cluster.change(nodes, 'n1', (node) => {
        (node as NodeObject).spec = { taints };
      });
    await taint([away]);
    await cluster.addNode('n2');
    await taint([away, { key: 'out', effect: 'NoExecute' }]);
    await cluster.until('two run elsewhere', () => on('n2') === 2);
    t.equal(on('n1'), 1, 'who tolerates it stays');
    await cluster.until(
      'it is told',
      () => cluster.list(events).filter((each) => each['reason'] === 'TaintManagerEviction').length === 2,
    );
  },
);
