import type { RolloutPolicySpec } from '../../fleet/rollout-policy.ts';
import { resolveAmount } from '../amounts.ts';
import type { Tracked } from './device-plan.ts';

type Member = Pick<Tracked, 'labels' | 'isOnline' | 'row' | 'isUnhealthy'>;

/** How many devices of each group may still be taken out of service. Without a policy, all. */
export class Budget {
  readonly #policy: RolloutPolicySpec['budget'];
  readonly #left = new Map<string, number>();

  constructor(policy: RolloutPolicySpec['budget'], devices: readonly Member[]) {
    this.#policy = policy;
    if (!policy) return;
    for (const [group, members] of Map.groupBy(devices, (device) => this.#groupOf(device))) {
      const out = members.filter(
        ({ isOnline, row, isUnhealthy }) => !isOnline || row.step === 'Applying' || isUnhealthy,
      );
      this.#left.set(group, resolveAmount(policy.maxUnavailable, members.length, 'up') - out.length);
    }
  }

  /** Whether one more of the device's group may go out of service; counts it if so. */
  take(device: Member): boolean {
    if (!this.#policy) return true;
    const group = this.#groupOf(device);
    const left = this.#left.get(group) ?? 0;
    if (left <= 0) return false;
    this.#left.set(group, left - 1);
    return true;
  }

  /** Why not. */
  refusal(device: Member): string {
    const { groupBy = [], maxUnavailable } = this.#policy ?? {};
    const where = groupBy.map((label) => `${label}=${device.labels[label] ?? ''}`).join(', ');
    return `as many devices of its group (${where}) are out of service as the budget allows (maxUnavailable: ${maxUnavailable})`;
  }

  #groupOf({ labels }: Member): string {
    return (this.#policy?.groupBy ?? []).map((label) => labels[label] ?? '').join('\0');
  }
}
