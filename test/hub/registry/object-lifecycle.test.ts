import t from 'tap';
import { updatedObject } from '../../../hub/registry/object-lifecycle.ts';
import { ApiError } from '../../../hub/resources/api-error.ts';
import type { ResourceDefinition } from '../../../hub/resources/definition.ts';
import { deployments } from '../../../hub/resources/deployment.ts';
import type { KubeObject } from '../../../hub/resources/object.ts';
import { pods } from '../../../hub/resources/pod.ts';
import { created, NOW } from '../resources/rule-rows.ts';

/** As a hub stored it whose rules were fewer. */
const WRONG = { name: 'main', image: 'app:1', command: ['a\0b'] };
const pod = created(pods, { spec: { containers: [WRONG] } });
const deployment = created(deployments, { spec: { template: { spec: { containers: [WRONG] } } } });

type Subresource = Parameters<typeof updatedObject>[3];

function refusal(
  resource: ResourceDefinition,
  old: KubeObject,
  change: (spec: Record<string, unknown>) => void,
  part?: Subresource,
): string | undefined {
  const given = structuredClone(old);
  change(given.spec as Record<string, unknown>);
  try {
    updatedObject(resource, old, { ...given, status: {} }, part, NOW);
    return undefined;
  } catch (error) {
    if (error instanceof ApiError) return error.message;
    throw error;
  }
}

t.test('what was wrong when it was stored refuses no other change', async (t) => {
  const nothing = () => {};
  t.equal(refusal(pods, pod, nothing, 'status'), undefined, 'how a pod is');
  t.equal(refusal(deployments, deployment, nothing, 'status'), undefined, 'how a Deployment is');
  const image = (spec: Record<string, unknown>) => {
    spec.containers = [{ ...WRONG, image: 'app:2' }];
  };
  t.equal(refusal(pods, pod, image), undefined, 'a newer image');
  const replicas = (spec: Record<string, unknown>) => {
    spec.replicas = 3;
  };
  t.equal(refusal(deployments, deployment, replicas), undefined, 'more pods');
});

t.test('what a change makes wrong is refused, and only that is told', async (t) => {
  const another = (spec: Record<string, unknown>) => {
    spec.replicas = -1;
  };
  t.equal(
    refusal(deployments, deployment, another),
    'Deployment.apps "sample" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
  );
  const more = (spec: Record<string, unknown>) => {
    spec.template = { ...(spec.template as object), spec: { containers: [{ ...WRONG, command: ['c\0'] }] } };
  };
  t.match(refusal(deployments, deployment, more), /command\[0\]: Invalid value: "c\\u0000"/);
});
