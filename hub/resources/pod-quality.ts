import type { Container, PodSpec } from 'kubernetes-types/core/v1.d.ts';
import { compareQuantities, parseQuantity } from './quantity.ts';

const COUNTED = ['cpu', 'memory'] as const;

function isPositive(text: string | undefined): boolean {
  return (parseQuantity(text ?? '0')?.value ?? 0n) > 0n;
}

function isGuaranteed({ resources }: Container): boolean {
  return COUNTED.every((name) => {
    const limit = parseQuantity(resources?.limits?.[name] ?? '0');
    const request = parseQuantity(resources?.requests?.[name] ?? resources?.limits?.[name] ?? '0');
    return limit && request && limit.value > 0n && compareQuantities(limit, request) === 0;
  });
}

function isBestEffort({ resources }: Container): boolean {
  return COUNTED.every(
    (name) => !isPositive(resources?.limits?.[name]) && !isPositive(resources?.requests?.[name]),
  );
}

/** `status.qosClass`: who goes first when memory runs out. */
export function qualityOfService(spec: PodSpec): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
  if (containers.every(isBestEffort)) return 'BestEffort';
  return containers.every(isGuaranteed) ? 'Guaranteed' : 'Burstable';
}
