import type { Authorize } from '../cel/authorizer.ts';
import type { Admission } from '../registry/admission.ts';
import type { Registry } from '../registry/registry.ts';
import { admissionOf } from './admission.ts';
import { QuotaLedger } from './quota/quota-ledger.ts';
import { ServiceLedger } from './service-addresses/service-ledger.ts';
import type { ServiceRanges } from './service-addresses/service-ranges.ts';

export interface PoliciesOptions {
  readonly serviceRanges: ServiceRanges;
  /** Origins of the servers that gates of rollouts may ask; absent: none. */
  readonly gateServers?: ReadonlySet<string>;
  /** Whether somebody may do something, for policies that ask. */
  readonly authorize: Authorize;
}

/** The cluster's policies at work, with what they count. */
export interface Policies {
  readonly quotas: QuotaLedger;
  readonly addresses: ServiceLedger;
  close(): void;
}

/** Makes a registry obey the cluster's policies. What they count is counted from what is stored. */
export function openPolicies(
  registry: Registry & { admission: Admission },
  { serviceRanges, gateServers = new Set(), authorize }: PoliciesOptions,
): Policies {
  const quotas = new QuotaLedger(registry);
  const addresses = new ServiceLedger(registry, serviceRanges);
  registry.admission = admissionOf(registry, { quotas, addresses, gateServers, authorize });
  return {
    quotas,
    addresses,
    close: () => {
      quotas.close();
      addresses.close();
    },
  };
}
