import type { Authorize } from '../cel/authorizer.ts';
import type { Admission, AdmissionRequest } from '../registry/admission.ts';
import type { Registry } from '../registry/registry.ts';
import { gateServersOf } from './gate-servers.ts';
import { limitRanger } from './limit-ranger.ts';
import { notYet } from './not-yet.ts';
import type { AdmissionPlugin } from './plugin.ts';
import { podSecurity } from './pod-security/pod-security.ts';
import { validatingPolicies } from './policies/validating-policies.ts';
import { priority } from './priority.ts';
import type { QuotaLedger } from './quota/quota-ledger.ts';
import { resourceQuota } from './quota/resource-quota.ts';
import { rolloutActions } from './rollout-actions.ts';
import { runtimeClass } from './runtime-class.ts';
import { serviceAccount } from './service-account.ts';
import { serviceAddresses } from './service-addresses/service-addresses.ts';
import type { ServiceLedger } from './service-addresses/service-ledger.ts';
import { storageClass } from './storage-class.ts';

export interface AdmissionOptions {
  readonly quotas: QuotaLedger;
  readonly addresses: ServiceLedger;
  /** Origins of the servers that gates of rollouts may ask. */
  readonly gateServers?: ReadonlySet<string>;
  readonly authorize: Authorize;
}

/** Kubernetes' own admission plugins, in its order: quota is last, for what it counts will be stored. */
export function admissionOf(
  registry: Registry,
  { quotas, addresses, gateServers = new Set(), authorize }: AdmissionOptions,
): Admission {
  return chained([
    serviceAccount(registry),
    priority(registry),
    storageClass(registry),
    limitRanger(registry),
    runtimeClass(registry),
    podSecurity(registry),
    notYet,
    rolloutActions(Date.now),
    gateServersOf(gateServers),
    serviceAddresses(addresses),
    validatingPolicies(registry, authorize),
    resourceQuota(quotas),
  ]);
}

/** Asks each; when one refuses, those before it are told that the write is over. */
export function chained(plugins: readonly AdmissionPlugin[]): Admission {
  return {
    complete: (request) => {
      for (const { complete } of plugins) complete?.(request);
    },
    check: (request) => checkAll(plugins, request),
    checkDeletion: (request) => {
      for (const { checkDeletion } of plugins) checkDeletion?.(request);
    },
    checkConnection: (request) => {
      for (const { checkConnection } of plugins) checkConnection?.(request);
    },
  };
}

function checkAll(plugins: readonly AdmissionPlugin[], request: AdmissionRequest): () => void {
  const ends: (() => void)[] = [];
  const over = () => {
    for (const end of ends) end();
  };
  try {
    for (const { check } of plugins) {
      const end = check?.(request);
      if (end) ends.push(end);
    }
  } catch (error) {
    over();
    throw error;
  }
  return over;
}
