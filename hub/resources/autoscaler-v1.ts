import type {
  HorizontalPodAutoscalerSpec,
  HorizontalPodAutoscalerStatus,
  MetricSpec,
  MetricStatus,
} from 'kubernetes-types/autoscaling/v2.d.ts';
import type { ResourceView } from './definition.ts';
import type { KubeObject } from './object.ts';
import type { HorizontalPodAutoscalerObject } from './typed.ts';

/*
 * autoscaling/v1 knows the utilization of the CPU and nothing else. All that it has no field for is in annotations, as
 * JSON in the form of v2, so that a client of v1 that writes back what it read loses nothing.
 */

const PREFIX = 'autoscaling.alpha.kubernetes.io/';

interface SpecV1 extends Pick<HorizontalPodAutoscalerSpec, 'scaleTargetRef' | 'minReplicas' | 'maxReplicas'> {
  targetCPUUtilizationPercentage?: number;
}

interface StatusV1 extends Omit<Partial<HorizontalPodAutoscalerStatus>, 'conditions' | 'currentMetrics'> {
  currentCPUUtilizationPercentage?: number;
}

function isCpuTarget({ type, resource }: MetricSpec): boolean {
  return type === 'Resource' && resource?.name === 'cpu' && resource.target?.averageUtilization !== undefined;
}

function isCpuStatus({ type, resource }: MetricStatus): boolean {
  return (
    type === 'Resource' && resource?.name === 'cpu' && resource.current?.averageUtilization !== undefined
  );
}

/** The first item that fits, and the others. */
function split<T>(
  items: readonly T[] = [],
  fits: (item: T) => boolean,
): readonly [T | undefined, readonly T[]] {
  const at = items.findIndex(fits);
  return [items[at], items.filter((_, index) => index !== at || at < 0)];
}

function fromStored(stored: KubeObject): KubeObject {
  const { spec, status, metadata, ...rest } = stored as HorizontalPodAutoscalerObject;
  const { metrics, behavior, ...common } = spec;
  const [cpu, otherMetrics] = split(metrics, isCpuTarget);
  const { conditions, currentMetrics, ...counts } = status ?? {};
  const [currentCpu, otherCurrent] = split(currentMetrics, isCpuStatus);
  const annotations = {
    ...metadata.annotations,
    ...annotation('metrics', otherMetrics),
    ...annotation('behavior', behavior),
    ...annotation('conditions', conditions),
    ...annotation('current-metrics', otherCurrent),
  };
  const target = cpu?.resource?.target.averageUtilization;
  const current = currentCpu?.resource?.current.averageUtilization;
  return {
    ...rest,
    metadata: { ...metadata, ...(Object.keys(annotations).length > 0 && { annotations }) },
    spec: { ...common, ...(target !== undefined && { targetCPUUtilizationPercentage: target }) },
    ...(status && {
      status: {
        currentReplicas: 0,
        ...counts,
        ...(current !== undefined && { currentCPUUtilizationPercentage: current }),
      },
    }),
  };
}

function annotation(name: string, value: unknown): Record<string, string> {
  const isEmpty = value === undefined || value === null || (Array.isArray(value) && value.length === 0);
  return isEmpty ? {} : { [`${PREFIX}${name}`]: JSON.stringify(value) };
}

/** Takes an annotation out. What is no JSON was not written here and counts as nothing. */
function take<T>(annotations: Record<string, string>, name: string): T | undefined {
  const key = `${PREFIX}${name}`;
  const text = annotations[key];
  delete annotations[key];
  try {
    return text === undefined ? undefined : (JSON.parse(text) as T);
  } catch {
    return undefined;
  }
}

function toStored(seen: KubeObject): KubeObject {
  const { metadata, spec, status, ...rest } = seen;
  const { annotations: given, ...others } = metadata;
  const annotations = { ...given };
  const otherMetrics = take<MetricSpec[]>(annotations, 'metrics') ?? [];
  const behavior = take(annotations, 'behavior');
  const conditions = take(annotations, 'conditions');
  const otherCurrent = take<MetricStatus[]>(annotations, 'current-metrics') ?? [];
  const { targetCPUUtilizationPercentage: target, ...common } = (spec ?? {}) as SpecV1;
  const { currentCPUUtilizationPercentage: current, ...counts } = (status ?? {}) as StatusV1;
  const metrics = [...(target === undefined ? [] : [cpuMetric(target)]), ...otherMetrics];
  const currentMetrics = [...(current === undefined ? [] : [cpuStatus(current)]), ...otherCurrent];
  return {
    ...rest,
    metadata: { ...others, ...(Object.keys(annotations).length > 0 && { annotations }) },
    ...(spec !== undefined && {
      spec: {
        ...common,
        ...(metrics.length > 0 && { metrics }),
        ...(behavior !== undefined && { behavior }),
      },
    }),
    ...(status !== undefined && {
      status: {
        ...counts,
        ...(currentMetrics.length > 0 && { currentMetrics }),
        ...(conditions !== undefined && { conditions }),
      },
    }),
  };
}

function cpuMetric(averageUtilization: number): MetricSpec {
  return {
    type: 'Resource',
    resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
  };
}

function cpuStatus(averageUtilization: number): MetricStatus {
  return { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization } } };
}

export const autoscalerV1: ResourceView = {
  group: 'autoscaling',
  version: 'v1',
  schema: 'io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler',
  fromStored,
  toStored,
};
