import t from 'tap';
import { autoscalerV1 } from '../../../hub/resources/autoscaler-v1.ts';
import { horizontalPodAutoscalers } from '../../../hub/resources/table-of-resources.ts';
import type { HorizontalPodAutoscalerObject } from '../../../hub/resources/typed.ts';
import { cells, columnNames, type Loose, refuses, sample } from './rule-rows.ts';

const spec = (fields: Loose) => ({ spec: fields });
const metrics = (...items: Loose[]) => spec({ metrics: items });
const cpu = {
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } },
};
const memory = {
  type: 'Resource',
  resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '1Gi' } },
};
const external = {
  type: 'External',
  external: { metric: { name: 'queue' }, target: { type: 'Value', value: '30' } },
};

t.test('defaults', async (t) => {
  t.match(sample(horizontalPodAutoscalers).spec, {
    minReplicas: 1,
    metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { averageUtilization: 80 } } }],
  });
  const { behavior } = (
    sample(
      horizontalPodAutoscalers,
      spec({ behavior: { scaleDown: { selectPolicy: 'Min' } } }),
    ) as HorizontalPodAutoscalerObject
  ).spec;
  t.match(behavior, {
    scaleUp: {
      stabilizationWindowSeconds: 0,
      selectPolicy: 'Max',
      policies: [
        { type: 'Pods', value: 4, periodSeconds: 15 },
        { type: 'Percent', value: 100, periodSeconds: 15 },
      ],
    },
    scaleDown: { selectPolicy: 'Min', policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] },
  });
});

t.test('what is wrong', async (t) => {
  const at = 'spec.metrics[0]';
  const resource = (fields: Loose) => metrics({ type: 'Resource', resource: { name: 'cpu', ...fields } });
  const up = (fields: Loose) => spec({ behavior: { scaleUp: fields } });
  const policy = (fields: Loose) =>
    up({ policies: [{ type: 'Pods', value: 1, periodSeconds: 1, ...fields }] });
  const policies = 'spec.behavior.scaleUp.policies[0]';
  refuses(t, horizontalPodAutoscalers, [
    [spec({ minReplicas: 0 }), 'spec.minReplicas: Invalid value: 0: must be greater than or equal to 1'],
    [
      spec({ maxReplicas: 0 }),
      'spec.maxReplicas: Invalid value: 0: must be greater than 0',
      'spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`',
    ],
    [
      spec({ minReplicas: 5 }),
      'spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`',
    ],
    [
      spec({ scaleTargetRef: { kind: '', name: 'a/b' } }),
      'spec.scaleTargetRef.kind: Required value',
      `spec.scaleTargetRef.name: Invalid value: "a/b": may not contain '/'`,
    ],
    [
      metrics({ type: 'x' }),
      `${at}.type: Unsupported value: "x": supported values: "ContainerResource", "External", "Object", "Pods", "Resource"`,
    ],
    [
      metrics({ type: 'Pods' }),
      `${at}.pods: Required value: must populate information for the given metric source`,
    ],
    [
      metrics({ ...cpu, external: external.external }),
      `${at}.external: Forbidden: must populate the given metric source only`,
    ],
    [
      resource({ name: '', target: cpu.resource.target }),
      `${at}.resource.name: Required value: must specify a resource name`,
    ],
    [resource({ target: undefined }), `${at}.resource.target: Required value`],
    [
      resource({ target: { type: 'x', averageUtilization: 5 } }),
      `${at}.resource.target.type: Unsupported value: "x": supported values: "Utilization", "Value", "AverageValue"`,
    ],
    [
      resource({ target: { type: 'Utilization', averageUtilization: 0 } }),
      `${at}.resource.target.averageUtilization: Invalid value: 0: must be greater than 0`,
    ],
    [
      resource({ target: { type: 'Utilization' } }),
      `${at}.resource.target.averageUtilization: Required value: must set either a target utilization or a target average value`,
    ],
    [
      resource({ target: { type: 'Utilization', averageUtilization: 5, averageValue: '1' } }),
      `${at}.resource.target.averageValue: Forbidden: may not set both a target utilization and a target average value`,
    ],
    [
      metrics({ type: 'ContainerResource', containerResource: { name: 'cpu', target: cpu.resource.target } }),
      `${at}.containerResource.container: Required value: must specify a container name`,
    ],
    [
      metrics({
        type: 'Pods',
        pods: { metric: { name: '' }, target: { type: 'AverageValue', averageValue: '-1' } },
      }),
      `${at}.pods.metric.name: Required value`,
      `${at}.pods.target.averageValue: Invalid value: "-1": must be positive`,
    ],
    [
      metrics({ type: 'Object', object: { metric: { name: 'a' }, target: { type: 'Value', value: '1' } } }),
      `${at}.object.describedObject.kind: Required value`,
      `${at}.object.describedObject.name: Required value`,
    ],
    [metrics(external)],
    [
      up({ selectPolicy: 'x' }),
      'spec.behavior.scaleUp.selectPolicy: Unsupported value: "x": supported values: "Disabled", "Max", "Min"',
    ],
    [
      up({ policies: [] }),
      'spec.behavior.scaleUp.policies: Required value: must specify at least one Policy',
    ],
    [
      up({ stabilizationWindowSeconds: -1 }),
      'spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: -1: must be greater than or equal to zero',
    ],
    [
      up({ stabilizationWindowSeconds: 3601 }),
      'spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to 3600',
    ],
    [policy({ type: 'x' }), `${policies}.type: Unsupported value: "x": supported values: "Percent", "Pods"`],
    [policy({ value: 0 }), `${policies}.value: Invalid value: 0: must be greater than zero`],
    [policy({ periodSeconds: 0 }), `${policies}.periodSeconds: Invalid value: 0: must be greater than zero`],
    [
      policy({ periodSeconds: 1801 }),
      `${policies}.periodSeconds: Invalid value: 1801: must be less than or equal to 1800`,
    ],
  ]);
});

t.test('columns', async (t) => {
  t.equal(columnNames(horizontalPodAutoscalers), 'Name, Reference, Targets, MinPods, MaxPods, Replicas, Age');
  t.same(cells(horizontalPodAutoscalers, { status: { currentReplicas: 2 } }), [
    'sample',
    'Deployment/sample',
    'cpu: <unknown>/80%',
    '1',
    '3',
    '2',
    '60m',
  ]);
  const currentMetrics = [
    { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 35 } } },
    { type: 'Resource', resource: { name: 'memory', current: { averageValue: '512Mi' } } },
    { type: 'External', external: { metric: { name: 'queue' }, current: { value: '3' } } },
  ];
  const targets = (items: Loose[], status: Loose[] = []) =>
    cells(horizontalPodAutoscalers, { ...metrics(...items), status: { currentMetrics: status } })[2];
  t.equal(targets([cpu, memory, external], currentMetrics), 'cpu: 35%/50%, memory: 512Mi/1Gi + 1 more...');
  t.equal(targets([external], currentMetrics.slice(2)), '3/30');
  const average = {
    type: 'External',
    external: { metric: { name: 'q' }, target: { type: 'AverageValue', averageValue: '5' } },
  };
  t.equal(targets([average]), '<unknown>/5 (avg)');
  t.equal(
    targets([
      { type: 'Pods', pods: { metric: { name: 'q' }, target: { type: 'AverageValue', averageValue: '5' } } },
    ]),
    '<unknown>/5',
  );
});

t.test('autoscaling/v1', async (t) => {
  const stored = sample(horizontalPodAutoscalers, {
    ...metrics(cpu, memory),
    metadata: { annotations: { own: 'kept' } },
  });
  (stored.spec as Record<string, unknown>)['behavior'] = { scaleUp: { selectPolicy: 'Min' } };
  stored.status = {
    currentReplicas: 2,
    desiredReplicas: 3,
    currentMetrics: [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 35 } } }],
    conditions: [{ type: 'AbleToScale', status: 'True' }],
  };
  const before = structuredClone(stored);
  const seen = autoscalerV1.fromStored(stored);
  t.same(seen.spec, {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'sample' },
    minReplicas: 1,
    maxReplicas: 3,
    targetCPUUtilizationPercentage: 50,
  });
  t.same(seen.status, { currentReplicas: 2, desiredReplicas: 3, currentCPUUtilizationPercentage: 35 });
  t.same(Object.keys(seen.metadata.annotations ?? {}).sort(), [
    'autoscaling.alpha.kubernetes.io/behavior',
    'autoscaling.alpha.kubernetes.io/conditions',
    'autoscaling.alpha.kubernetes.io/metrics',
    'own',
  ]);
  t.same(autoscalerV1.toStored(seen), before, 'nothing is lost');
  t.same(stored, before, 'and nothing is changed');
  const mine = {
    ...seen,
    metadata: { annotations: { 'autoscaling.alpha.kubernetes.io/metrics': 'no JSON' } },
  };
  t.match(autoscalerV1.toStored(mine).spec, { metrics: [cpu] }, 'what is not ours is not believed');
});
