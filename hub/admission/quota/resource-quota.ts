import type { Container } from 'kubernetes-types/core/v1.d.ts';
import type { AdmissionRequest } from '../../registry/admission.ts';
import { forbidden } from '../../resources/api-error.ts';
import { ownValue } from '../../resources/object.ts';
import {
  canonicalQuantity,
  compareQuantities,
  parseQuantity,
  type Quantity,
} from '../../resources/quantity.ts';
import { pods } from '../../resources/table-of-resources.ts';
import type { PodObject } from '../../resources/typed.ts';
import type { AdmissionPlugin } from '../plugin.ts';
import type { QuotaAccount, QuotaLedger } from './quota-ledger.ts';
import { isInScope, minus, plus, type Usage, usageOf } from './usage.ts';

const ZERO: Quantity = { value: 0n, scale: 0, format: 'decimal' };
/** Where a quota limits them, every container must say how much it wants. */
const MUST_BE_GIVEN = /^(cpu|memory|(requests|limits)\.(cpu|memory|ephemeral-storage))$/;

/** ResourceQuotas: usage never goes above what is allowed, also under creates at the same time. */
export function resourceQuota(ledger: QuotaLedger): AdmissionPlugin {
  return {
    check: (request) => {
      const { metadata } = request.object;
      if (request.subresource === 'status' || metadata.namespace === undefined) return undefined;
      const charges = ledger.of(metadata.namespace).flatMap((account) => chargeOf(account, request) ?? []);
      for (const { account, extra } of charges) checkAccount(account, request, extra);
      if (request.dryRun || charges.length === 0) return undefined;
      const ends = charges.map(({ account, extra }) => account.reserve(extra));
      return () => {
        for (const end of ends) end();
      };
    },
  };
}

interface Charge {
  readonly account: QuotaAccount;
  /** What the write adds to what was there before. */
  readonly extra: Usage;
}

function chargeOf(account: QuotaAccount, { resource, object, old }: AdmissionRequest): Charge | undefined {
  const { spec } = account.quota;
  if (!isInScope(spec, resource, object)) return undefined;
  const before = old && isInScope(spec, resource, old) ? usageOf(resource, old) : undefined;
  const extra = new Map<string, Quantity>();
  for (const [name, amount] of usageOf(resource, object)) {
    const added = before ? minus(amount, before.get(name) ?? ZERO) : amount;
    if (added.value > 0n && ownValue(spec.hard, name) !== undefined) extra.set(name, added);
  }
  const mustBeChecked = extra.size > 0 || (!old && resource === pods);
  return mustBeChecked ? { account, extra } : undefined;
}

function checkAccount(account: QuotaAccount, request: AdmissionRequest, extra: Usage): void {
  const { resource, object, old } = request;
  const { metadata, spec } = account.quota;
  const refuse = (why: string) => forbidden(resource, object.metadata.name ?? '', why);
  if (!old && resource === pods) {
    const missing = notGiven(object as PodObject, Object.keys(spec.hard ?? {}));
    if (missing) throw refuse(`failed quota: ${metadata.name}: must specify ${missing}`);
  }
  const exceeded = [...extra.keys()].sort().filter((name) => {
    const hard = parseQuantity(ownValue(spec.hard, name) ?? '') ?? ZERO;
    return compareQuantities(plus(extra.get(name), account.used(name)), hard) > 0;
  });
  if (exceeded.length === 0) return;
  const list = (amountOf: (name: string) => string) =>
    exceeded.map((name) => `${name}=${amountOf(name)}`).join(',');
  const requested = list((name) => canonicalQuantity(extra.get(name) ?? ZERO));
  const used = list((name) => canonicalQuantity(account.used(name)));
  const limited = list((name) => ownValue(spec.hard, name) ?? '0');
  throw refuse(
    `exceeded quota: ${metadata.name}, requested: ${requested}, used: ${used}, limited: ${limited}`,
  );
}

/** `limits.cpu for: a,b; memory for: a`, or nothing. */
function notGiven({ spec }: PodObject, limited: readonly string[]): string {
  const containers = [...spec.containers, ...(spec.initContainers ?? [])];
  return limited
    .filter((name) => MUST_BE_GIVEN.test(name))
    .sort()
    .flatMap((name) => {
      const missing = containers.filter((container) => amountOf(container, name) === undefined);
      return missing.length > 0 ? [`${name} for: ${missing.map((each) => each.name).join(',')}`] : [];
    })
    .join('; ');
}

function amountOf({ resources }: Container, limited: string): string | undefined {
  const [part = '', name] = limited.includes('.') ? limited.split('.') : ['requests', limited];
  return ownValue(part === 'limits' ? resources?.limits : resources?.requests, name ?? '');
}
