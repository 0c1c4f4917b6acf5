import t from 'tap';
import { hasEnded, restarts } from '../../../agent/pod/observation.ts';
import type { Container } from '../../../agent/pod/pod.ts';
import { container, ended, makePod, observed } from '../builders.ts';

/* Whether a container that has ended runs again. */

const rules = (operator: string, ...values: number[]) => ({
  restartPolicyRules: [
    { action: 'Restart', exitCodes: { operator: 'In', values: [200] } },
    { action: 'Restart', exitCodes: { operator, values } },
  ],
});
const one = (own: object) => container('main', own as Partial<Container>);

const rows: [what: string, policy: string, own: object, again: number[], not: number[]][] = [
  ['the pod says', 'Always', {}, [0, 1], []],
  ['the pod says otherwise', 'OnFailure', {}, [1], [0]],
  ['never, whatever the pod says', 'Always', { restartPolicy: 'Never' }, [], [0, 1]],
  ['always, whatever the pod says', 'Never', { restartPolicy: 'Always' }, [0, 1], []],
  ['when it failed', 'Never', { restartPolicy: 'OnFailure' }, [1], [0]],
  ['with some exit codes', 'Never', { restartPolicy: 'Never', ...rules('In', 42, 0) }, [0, 42, 200], [1]],
  ['with all but some', 'Always', { restartPolicy: 'Never', ...rules('NotIn', 0, 1) }, [2, 200], [0, 1]],
  ['rules besides a policy', 'Never', { restartPolicy: 'OnFailure', ...rules('In', 0) }, [0, 1, 200], []],
  [
    'an action that is not known',
    'Never',
    { restartPolicy: 'Never', restartPolicyRules: [{ action: 'x' }] },
    [],
    [1],
  ],
];

t.test('by its own policy, its rules, or those of the pod', async (t) => {
  for (const [what, restartPolicy, own, again, not] of rows) {
    const pod = makePod({ restartPolicy: restartPolicy as 'Always', containers: [one(own)] });
    for (const code of again) t.equal(restarts(pod, 'main', code), true, `${what}: ${code}`);
    for (const code of not) t.equal(restarts(pod, 'main', code), false, `${what}: ${code}`);
  }
});

t.test('an init container with a policy of its own is no sidecar', async (t) => {
  const once = container('first', { restartPolicy: 'Never' } as Partial<Container>);
  const pod = makePod({ initContainers: [once], containers: [container('main')] });
  t.equal(restarts(pod, 'first', 1), false);
  t.equal(
    hasEnded(pod, [ended(pod, { container: 'first', exitCode: 1 })]),
    true,
    'and ends its pod when it fails',
  );
  const [first] = [container('first', { restartPolicy: 'OnFailure' } as Partial<Container>)];
  const stubborn = makePod({
    restartPolicy: 'Never',
    initContainers: [first],
    containers: [container('main')],
  });
  t.equal(hasEnded(stubborn, [ended(stubborn, { container: 'first', exitCode: 1 })]), false);
});

t.test('a pod has ended when all of its containers have, each by its own', async (t) => {
  const main = one({ restartPolicy: 'Never' });
  const pod = makePod({ containers: [main, container('helper')] });
  const over = ended(pod, { container: 'main', exitCode: 0 });
  t.equal(hasEnded(pod, [over, observed(pod, { container: 'helper' })]), false);
  t.equal(hasEnded(makePod({ containers: [main] }), [over]), true);
});
