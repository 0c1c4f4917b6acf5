import type { LimitRangeItem } from 'kubernetes-types/core/v1.d.ts';
import { ownValue } from '../resources/object.ts';
import { compareQuantities, parseQuantity, type Quantity } from '../resources/quantity.ts';

/** Amounts of one container, pod or claim, by resource name. */
export interface Amounts {
  readonly requests: Readonly<Record<string, string>>;
  readonly limits: Readonly<Record<string, string>>;
}

const NONE: Quantity = { value: 0n, scale: 0, format: 'decimal' };

/** What of the amounts lies outside of the bounds, in Kubernetes' words. */
export function boundErrors(item: LimitRangeItem, amounts: Amounts): string[] {
  return [
    ...each(item.min, (name, bound) => minimumErrors(item.type, name, bound, amounts)),
    ...each(item.max, (name, bound) => maximumErrors(item.type, name, bound, amounts)),
    ...each(item.maxLimitRequestRatio, (name, bound) => ratioErrors(item.type, name, bound, amounts)),
  ];
}

function each(
  bounds: Readonly<Record<string, string>> | undefined,
  errorsOf: (name: string, bound: string) => string[],
): string[] {
  return Object.entries(bounds ?? {}).flatMap(([name, bound]) => errorsOf(name, bound));
}

function minimumErrors(type: string, name: string, bound: string, { requests, limits }: Amounts): string[] {
  const least = `minimum ${name} usage per ${type} is ${bound}`;
  const [request, limit] = [ownValue(requests, name), ownValue(limits, name)];
  if (request === undefined) return [`${least}.  No request is specified`];
  if (isLess(request, bound)) return [`${least}, but request is ${request}`];
  return limit !== undefined && isLess(limit, bound) ? [`${least}, but limit is ${limit}`] : [];
}

/** What claims and the like have no limit of is bounded by their request. */
function maximumErrors(type: string, name: string, bound: string, { requests, limits }: Amounts): string[] {
  const most = `maximum ${name} usage per ${type} is ${bound}`;
  const [request, limit] = [ownValue(requests, name), ownValue(limits, name)];
  if (type === 'PersistentVolumeClaim')
    return request !== undefined && isLess(bound, request) ? [`${most}, but request is ${request}`] : [];
  if (limit === undefined) return [`${most}.  No limit is specified`];
  if (isLess(bound, limit)) return [`${most}, but limit is ${limit}`];
  return request !== undefined && isLess(bound, request) ? [`${most}, but request is ${request}`] : [];
}

function ratioErrors(type: string, name: string, bound: string, { requests, limits }: Amounts): string[] {
  const most = `${name} max limit to request ratio per ${type} is ${bound}`;
  const [request, limit] = [quantity(ownValue(requests, name)), quantity(ownValue(limits, name))];
  if (request.value === 0n) return [`${most}, but no request is specified or request is 0`];
  if (limit.value === 0n) return [`${most}, but no limit is specified or limit is 0`];
  const ratio = asNumber(limit) / asNumber(request);
  return ratio > asNumber(quantity(bound)) ? [`${most}, but provided ratio is ${ratio.toFixed(6)}`] : [];
}

function quantity(text: string | undefined): Quantity {
  return (text !== undefined && parseQuantity(text)) || NONE;
}

function isLess(left: string, right: string): boolean {
  return compareQuantities(quantity(left), quantity(right)) < 0;
}

function asNumber({ value, scale }: Quantity): number {
  return Number(value) * 10 ** scale;
}
