import t from 'tap';
import { ApiError } from '../../../hub/resources/api-error.ts';
import type { KubeObject } from '../../../hub/resources/object.ts';
import * as table from '../../../hub/resources/table-of-resources.ts';
import { podOf, withPolicies } from './policies.ts';

const onDeployments = {
  resourceRules: [
    {
      apiGroups: ['apps'],
      apiVersions: ['v1'],
      operations: ['CREATE', 'UPDATE'],
      resources: ['deployments'],
    },
  ],
};
const onConfigMaps = {
  resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['configmaps'] }],
};
const policyOf = (name: string, spec: object) => ({ metadata: { name }, spec });
const bindingOf = (name: string, policyName: string, more: object = {}) => ({
  metadata: { name },
  spec: { policyName, validationActions: ['Deny'], ...more },
});
const deploymentOf = (name: string, replicas: number, labels: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: 'default', labels },
  spec: {
    replicas,
    selector: { matchLabels: { a: 'b' } },
    template: { metadata: { labels: { a: 'b' } }, spec: podOf('x').spec },
  },
});
const configMapOf = (name: string, data: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default' },
  data,
});

async function refusal(write: Promise<unknown>): Promise<ApiError> {
  try {
    await write;
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

/** A hub with one policy that is bound, and a way to write as somebody. */
async function withPolicy(test: Parameters<typeof withPolicies>[0], spec: object, binding: object = {}) {
  const parts = await withPolicies(test);
  await parts.create(table.validatingAdmissionPolicies, policyOf('rule', spec));
  await parts.create(table.validatingAdmissionPolicyBindings, bindingOf('everywhere', 'rule', binding));
  const warnings: string[] = [];
  const options = { fieldManager: 'test', warn: (text: string) => void warnings.push(text) };
  const create = (resource: Parameters<typeof parts.create>[0], object: object) =>
    parts.registry.create(resource, object as KubeObject, options);
  return { ...parts, create, warnings, options };
}

t.test('a validation that fails refuses the write, with its message and reason', async (t) => {
  const { create, registry, options } = await withPolicy(t, {
    matchConstraints: onDeployments,
    validations: [
      { expression: 'object.spec.replicas <= 5' },
      {
        expression: "has(object.metadata.labels) && 'team' in object.metadata.labels",
        messageExpression: "'deployment ' + object.metadata.name + ' names no team'",
        reason: 'Forbidden',
      },
    ],
  });
  const many = await refusal(create(table.deployments, deploymentOf('many', 6, { team: 'x' })));
  t.equal(many.code, 422);
  t.equal(
    many.message,
    `deployments.apps "many" is forbidden: ValidatingAdmissionPolicy 'rule' with binding 'everywhere' denied request: failed expression: object.spec.replicas <= 5`,
  );
  const teamless = await refusal(create(table.deployments, deploymentOf('teamless', 1)));
  t.match(teamless, {
    code: 403,
    reason: 'Forbidden',
    message: /denied request: deployment teamless names no team$/,
  });
  const made = await create(table.deployments, deploymentOf('good', 5, { team: 'x' }));
  const more = { ...made, spec: { ...(made.spec as object), replicas: 7 } };
  t.match(await refusal(registry.update(table.deployments, more, options)), { code: 422 }, 'updates too');
});

t.test('conditions, variables, the object before, who asks', async (t) => {
  const { create, registry, options } = await withPolicy(t, {
    matchConstraints: onConfigMaps,
    matchConditions: [
      { name: 'not-the-hub', expression: "request.userInfo.username != 'system:holdfast:hub'" },
    ],
    variables: [
      { name: 'keys', expression: 'has(object.data) ? object.data.map(key, key) : []' },
      { name: 'count', expression: 'size(variables.keys)' },
    ],
    validations: [
      { expression: 'variables.count <= 1', message: 'one key is enough' },
      { expression: "request.operation == 'CREATE' || oldObject.metadata.name == object.metadata.name" },
    ],
  });
  const ann = { ...options, requester: { name: 'ann', groups: ['staff'] } };
  const two = configMapOf('two', { a: '1', b: '2' }) as unknown as KubeObject;
  t.match(await refusal(registry.create(table.configMaps, two, ann)), { message: /one key is enough$/ });
  await create(table.configMaps, two);
  const one = configMapOf('one', { a: '1' }) as unknown as KubeObject;
  const made = await registry.create(table.configMaps, one, ann);
  await registry.update(table.configMaps, { ...made, data: { a: '2' } } as KubeObject, ann);
});

t.test('bindings: warnings, selectors, parameters', async (t) => {
  const validations = [{ expression: 'object.spec.replicas <= int(params.data.most)', message: 'too many' }];
  const spec = {
    matchConstraints: onDeployments,
    paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
    validations,
  };
  const { create, warnings } = await withPolicy(t, spec, {
    validationActions: ['Warn'],
    paramRef: { name: 'limits', namespace: 'default', parameterNotFoundAction: 'Deny' },
    matchResources: { objectSelector: { matchLabels: { tier: 'web' } } },
  });
  const web = { tier: 'web' };
  await create(table.deployments, deploymentOf('before', 9, web));
  t.match(warnings.splice(0), [/no params found/]);
  await create(table.configMaps, configMapOf('limits', { most: '3' }));
  await create(table.deployments, deploymentOf('many', 4, web));
  t.same(warnings.splice(0), [
    "Validation failed for ValidatingAdmissionPolicy 'rule' with binding 'everywhere': too many",
  ]);
  await create(table.deployments, deploymentOf('few', 3, web));
  await create(table.deployments, deploymentOf('other', 9));
  t.same(warnings, []);
});

t.test('what can not be evaluated refuses, unless the policy says otherwise', async (t) => {
  const validations = [{ expression: "object.data.missing == 'x'" }];
  const strict = await withPolicy(t, { matchConstraints: onConfigMaps, validations });
  t.match(await refusal(strict.create(table.configMaps, configMapOf('a'))), {
    message: /resulted in error/,
  });
  const lenient = await withPolicy(t, {
    matchConstraints: onConfigMaps,
    validations,
    failurePolicy: 'Ignore',
  });
  await lenient.create(table.configMaps, configMapOf('a'));
});

t.test('expressions that can not be read are refused with the policy', async (t) => {
  const { create } = await withPolicies(t);
  const spec = {
    matchConstraints: onConfigMaps,
    validations: [{ expression: 'object.data. ==' }, { expression: "'text'" }],
  };
  const error = await refusal(create(table.validatingAdmissionPolicies, policyOf('bad', spec)));
  t.equal(error.code, 422);
  t.match(error.details?.causes, [
    { field: 'spec.validations[0].expression', message: /compilation failed/ },
    { field: 'spec.validations[1].expression', message: /must evaluate to bool, not to string/ },
  ]);
});

t.test('policies about policies are not enforced: they could lock out who would mend them', async (t) => {
  const { create } = await withPolicy(t, {
    matchConstraints: {
      resourceRules: [{ apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*'] }],
    },
    validations: [{ expression: 'false' }],
  });
  t.match(await refusal(create(table.configMaps, configMapOf('a'))), { code: 422 });
  await create(table.validatingAdmissionPolicyBindings, {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicyBinding',
    ...bindingOf('second', 'rule'),
  });
});

t.test(
  'deletions: there is no object, only what is to go; nothing else of a deletion is in the way',
  async (t) => {
    const { create, registry, options } = await withPolicy(t, {
      matchConstraints: {
        resourceRules: [
          { apiGroups: [''], apiVersions: ['v1'], operations: ['DELETE'], resources: ['configmaps'] },
        ],
      },
      validations: [
        {
          expression:
            "object == null && (!has(oldObject.metadata.labels) || !('keep' in oldObject.metadata.labels) || request.userInfo.username == 'ann')",
          messageExpression: "request.operation + ' of ' + oldObject.metadata.name",
        },
      ],
    });
    const kept = configMapOf('kept');
    await create(table.configMaps, { ...kept, metadata: { ...kept.metadata, labels: { keep: '' } } });
    await create(table.configMaps, configMapOf('other'));
    const bob = { ...options, requester: { name: 'bob', groups: [] } };
    for (const dryRun of [true, false]) {
      const refused = await refusal(registry.delete(table.configMaps, 'default', 'kept', { ...bob, dryRun }));
      t.match(refused, { code: 422, message: /denied request: DELETE of kept$/ });
    }
    t.ok(registry.get(table.configMaps, 'default', 'kept'));
    t.match(await registry.delete(table.configMaps, 'default', 'other', bob), { removed: true });
    const ann = { ...options, requester: { name: 'ann', groups: [] } };
    t.match(await registry.delete(table.configMaps, 'default', 'kept', ann), { removed: true });
  },
);
