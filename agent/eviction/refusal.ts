import type { Pod } from '../pod/pod.ts';
import { isCritical, qosClassOf } from '../pod/quality.ts';
import type { Pressure } from './thresholds.ts';

const MEMORY_TAINT = 'node.kubernetes.io/memory-pressure';

/** Why a pod that comes now is not taken on, in the kubelet's words; undefined when it is. Pure. */
export function refusalUnder(pressures: ReadonlySet<Pressure>, pod: Pod): string | undefined {
  if (pressures.size === 0 || isCritical(pod)) return undefined;
  const isMemoryOnly = pressures.size === 1 && pressures.has('MemoryPressure');
  if (isMemoryOnly && (qosClassOf(pod) !== 'BestEffort' || toleratesMemoryPressure(pod))) return undefined;
  return `The node had condition: [${[...pressures].join(' ')}].`;
}

function toleratesMemoryPressure({ spec }: Pod): boolean {
  return (spec.tolerations ?? []).some(({ key, operator = 'Equal', value = '', effect }) => {
    if (effect && effect !== 'NoSchedule') return false;
    if (!key) return operator === 'Exists';
    return key === MEMORY_TAINT && (operator === 'Exists' || value === '');
  });
}
