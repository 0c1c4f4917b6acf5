import type { NodeCondition } from 'kubernetes-types/core/v1.d.ts';
import { PRESSURES, type Pressure } from './thresholds.ts';

/** The kubelet's words. */
const WORDS: Readonly<Record<Pressure, { is: [string, string]; isNot: [string, string] }>> = {
  MemoryPressure: {
    is: ['KubeletHasInsufficientMemory', 'kubelet has insufficient memory available'],
    isNot: ['KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
  },
  DiskPressure: {
    is: ['KubeletHasDiskPressure', 'kubelet has disk pressure'],
    isNot: ['KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
  },
  PIDPressure: {
    is: ['KubeletHasInsufficientPID', 'kubelet has insufficient PID available'],
    isNot: ['KubeletHasSufficientPID', 'kubelet has sufficient PID available'],
  },
};

/** What the Node says of its pressures. `now`: RFC 3339; the hub keeps the time of what did not change. Pure. */
export function pressureConditions(pressures: ReadonlySet<Pressure>, now: string): NodeCondition[] {
  return PRESSURES.map((type) => {
    const isThere = pressures.has(type);
    const [reason, message] = WORDS[type][isThere ? 'is' : 'isNot'];
    const status = isThere ? 'True' : 'False';
    return { type, status, reason, message, lastHeartbeatTime: now, lastTransitionTime: now };
  });
}
