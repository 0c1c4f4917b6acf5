import type { Container } from 'kubernetes-types/core/v1.d.ts';
import { ownValue } from './object.ts';
import { addQuantities, canonicalQuantity, compareQuantities, parseQuantity } from './quantity.ts';
import type { PodObject } from './typed.ts';

type Part = 'requests' | 'limits';
type Texts = Readonly<Record<string, string>>;

/**
 * What a pod needs at once, as quantities: containers together, and beside each init container those that started before
 * it and stay. https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers
 */
export function podTotals({ spec }: PodObject): { requests: Texts; limits: Texts } {
  const overhead = spec.overhead ?? {};
  const requests = plus(totalOf(spec, 'requests'), overhead);
  // Overhead raises a limit only where there is one.
  const limits = totalOf(spec, 'limits');
  const raised = Object.entries(overhead).filter(([name]) => ownValue(limits, name) !== undefined);
  return { requests, limits: plus(limits, Object.fromEntries(raised)) };
}

function totalOf(spec: PodObject['spec'], part: Part): Texts {
  const of = (container: Container) => container.resources?.[part] ?? {};
  let staying: Texts = {};
  let peak: Texts = {};
  for (const container of spec.initContainers ?? []) {
    if (stays(container)) staying = plus(staying, of(container));
    peak = larger(peak, stays(container) ? staying : plus(staying, of(container)));
  }
  const running = spec.containers.reduce((sum, container) => plus(sum, of(container)), staying);
  return larger(running, peak);
}

function stays(container: Container): boolean {
  return 'restartPolicy' in container && container.restartPolicy === 'Always';
}

function plus(left: Texts, right: Texts): Texts {
  return merged(left, right, (a, b) => {
    const [first, second] = [parseQuantity(a), parseQuantity(b)];
    return first && second ? canonicalQuantity(addQuantities(first, second)) : a;
  });
}

function larger(left: Texts, right: Texts): Texts {
  return merged(left, right, (a, b) => {
    const [first, second] = [parseQuantity(a), parseQuantity(b)];
    return first && second && compareQuantities(first, second) < 0 ? b : a;
  });
}

function merged(left: Texts, right: Texts, both: (a: string, b: string) => string): Texts {
  const result: Record<string, string> = { ...left };
  for (const [name, text] of Object.entries(right)) {
    const own = ownValue(result, name);
    result[name] = own === undefined ? text : both(own, text);
  }
  return result;
}
