import type {
  HorizontalPodAutoscalerSpec,
  HPAScalingRules,
  MetricSpec,
  MetricStatus,
} from 'kubernetes-types/autoscaling/v2.d.ts';
import { autoscalerV1 } from './autoscaler-v1.ts';
import { validateAutoscaler } from './autoscaler-validation.ts';
import { ageColumn, column, nameColumn } from './cells.ts';
import { defineResource, setDefault, specOf } from './define.ts';
import type { KubeObject } from './object.ts';
import type { HorizontalPodAutoscalerObject } from './typed.ts';

const CPU_UTILIZATION = 80;
const SHOWN_METRICS = 2;

function setDefaults(object: KubeObject): void {
  const spec = specOf<HorizontalPodAutoscalerSpec>(object);
  setDefault(spec, 'minReplicas', 1);
  if (!spec.metrics?.length)
    spec.metrics = [
      {
        type: 'Resource',
        resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: CPU_UTILIZATION } },
      },
    ];
  if (!spec.behavior) return;
  spec.behavior.scaleUp = scalingRules(spec.behavior.scaleUp, {
    stabilizationWindowSeconds: 0,
    policies: [
      { type: 'Pods', value: 4, periodSeconds: 15 },
      { type: 'Percent', value: 100, periodSeconds: 15 },
    ],
  });
  spec.behavior.scaleDown = scalingRules(spec.behavior.scaleDown, {
    policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
  });
}

function scalingRules(given: HPAScalingRules | undefined, fallback: HPAScalingRules): HPAScalingRules {
  return { selectPolicy: 'Max', ...fallback, ...given };
}

/** `cpu: 35%/80%, 10/100 (avg) + 1 more...`: what is measured, of what is aimed at. */
function targetsText(object: KubeObject): string {
  const { spec, status } = object as HorizontalPodAutoscalerObject;
  const { metrics = [] } = spec;
  if (metrics.length === 0) return '<none>';
  const texts = metrics.map((metric, index) => metricText(metric, status?.currentMetrics?.[index]));
  const shown = texts.slice(0, SHOWN_METRICS).join(', ');
  return texts.length > SHOWN_METRICS ? `${shown} + ${texts.length - SHOWN_METRICS} more...` : shown;
}

function metricText(metric: MetricSpec, status: MetricStatus | undefined): string {
  const resource = metric.resource ?? metric.containerResource;
  if (resource) {
    const current = (status?.resource ?? status?.containerResource)?.current;
    const { averageValue, averageUtilization } = resource.target;
    if (averageValue !== undefined)
      return `${resource.name}: ${known(current?.averageValue)}/${averageValue}`;
    const target = averageUtilization === undefined ? '<auto>' : `${averageUtilization}%`;
    const now = current?.averageUtilization;
    return `${resource.name}: ${now === undefined ? '<unknown>' : `${now}%`}/${target}`;
  }
  if (metric.pods)
    return `${known(status?.pods?.current.averageValue)}/${metric.pods.target.averageValue ?? '0'}`;
  const target = (metric.object ?? metric.external)?.target;
  if (!target) return '<unknown type>';
  const current = (status?.object ?? status?.external)?.current;
  return target.averageValue === undefined
    ? `${known(current?.value)}/${target.value ?? '0'}`
    : `${known(current?.averageValue)}/${target.averageValue} (avg)`;
}

function known(amount: string | undefined): string {
  return amount ?? '<unknown>';
}

const autoscaler = (object: KubeObject) => object as HorizontalPodAutoscalerObject;

export const horizontalPodAutoscalers = defineResource({
  group: 'autoscaling',
  version: 'v2',
  kind: 'HorizontalPodAutoscaler',
  plural: 'horizontalpodautoscalers',
  singular: 'horizontalpodautoscaler',
  shortNames: ['hpa'],
  categories: ['all'],
  namespaced: true,
  schema: 'io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler',
  notYet: 'nothing is scaled by it yet',
  hasStatus: true,
  hasGeneration: false,
  views: [autoscalerV1],
  setDefaults,
  prepareForCreate: (object) => {
    object.status = { desiredReplicas: 0 };
  },
  validate: (object) => validateAutoscaler(autoscaler(object).spec),
  columns: [
    nameColumn,
    column('Reference', 'What it scales.', (object) => {
      const { kind, name } = autoscaler(object).spec.scaleTargetRef;
      return `${kind}/${name}`;
    }),
    column('Targets', 'What is measured, of what is aimed at.', targetsText),
    column(
      'MinPods',
      'The least number of pods.',
      (object) => `${autoscaler(object).spec.minReplicas ?? '<unset>'}`,
    ),
    column('MaxPods', 'The largest number of pods.', (object) => `${autoscaler(object).spec.maxReplicas}`),
    column(
      'Replicas',
      'The number of pods.',
      (object) => `${autoscaler(object).status?.currentReplicas ?? 0}`,
    ),
    ageColumn,
  ],
});
