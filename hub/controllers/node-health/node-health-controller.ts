import type { Taint } from 'kubernetes-types/core/v1.d.ts';
import { readinessOf } from '../../resources/node-matching.ts';
import type { KubeObject } from '../../resources/object.ts';
import { podCondition, withPodCondition } from '../../resources/pod-state.ts';
import { nodes, pods } from '../../resources/table-of-resources.ts';
import { formatTime } from '../../resources/time.ts';
import type { NodeObject, PodObject } from '../../resources/typed.ts';
import { sameJson } from '../../schema/json-type.ts';
import { type ControllerContext, type Running, startController } from '../controller.ts';
import { changeExisting } from '../status.ts';
import { type NodeHealthPlan, planNodeHealth } from './node-health-plan.ts';
import type { NodeLiveness } from './node-liveness.ts';

/*
 * Tells in a Node's conditions and taints that its agent is silent, and in its pods' conditions that they cannot be
 * counted on. It never deletes a pod: a device that is out of reach keeps its pods, and goes on running them.
 *
 * Not done yet: a pod whose own toleration of `unreachable` or `not-ready` has `tolerationSeconds` is to be replaced
 * after them, fenced by its device (design: "Deciding where things run"). The taint's `timeAdded`, written here, is
 * when that time begins; the place for it is a controller of its own that watches nodes and pods.
 */

const SOURCE = { fieldManager: 'node-controller' };
const STATUS = { ...SOURCE, subresource: 'status' } as const;

export interface NodeHealthOptions {
  readonly liveness: NodeLiveness | undefined;
  /** How long a node may be silent before it counts as lost (`--node-monitor-grace-period`). */
  readonly gracePeriodMs: number;
}

/** Follows connections and nodes. Without `liveness` only what the agents themselves report counts. */
export function startNodeHealthController(context: ControllerContext, options: NodeHealthOptions): Running {
  const controller = startController(context, {
    name: 'node-health',
    watches: [{ resource: nodes, keys: ({ object }) => [object.metadata.name ?? ''] }],
    sync: (name) => syncNode(context, options, name),
    concurrency: 256,
  });
  const end = options.liveness?.onChange((name) => controller.add(name));
  return {
    stop: () => {
      end?.();
      return controller.stop();
    },
  };
}

async function syncNode(
  context: ControllerContext,
  { liveness, gracePeriodMs }: NodeHealthOptions,
  name: string,
): Promise<number | undefined> {
  const { registry, now } = context;
  const node = registry.get(nodes, undefined, name) as NodeObject | undefined;
  if (!node) return undefined;
  const plan = planNodeHealth(node, liveness?.connectionOf(name), { gracePeriodMs, nowMs: now() });
  await writeConditions(context, node, plan);
  const { taints } = plan;
  if (taints)
    await changeExisting(registry, nodes, node, (current) => withTaints(current, node, taints), SOURCE);
  if (plan.losesPods) await changePods(context, node, notReady);
  if (plan.regainsPods) await changePods(context, node, readyAgain);
  return plan.wakeInMs;
}

async function writeConditions(
  { registry, events }: ControllerContext,
  node: NodeObject,
  { conditions, losesPods }: NodeHealthPlan,
): Promise<void> {
  if (conditions)
    await changeExisting(
      registry,
      nodes,
      node,
      (current) => {
        const { status } = current as NodeObject;
        // The agent has just reported: that has woken the node's key.
        if (!sameJson(status?.conditions, node.status?.conditions)) return current;
        return { ...current, status: { ...status, conditions } };
      },
      STATUS,
    );
  const message = `Node ${node.metadata.name} status is now: NodeNotReady`;
  const isNews = losesPods && (conditions !== undefined || !hasHealthTaint(node));
  if (isNews && readinessOf(node) !== undefined)
    events.record('node-controller', node, { type: 'Normal', reason: 'NodeNotReady', message });
}

function hasHealthTaint({ spec }: NodeObject): boolean {
  return (spec.taints ?? []).some(({ key }) => key.endsWith('/not-ready') || key.endsWith('/unreachable'));
}

/** If somebody else has changed the taints since, that has woken the node's key: nothing is written over it. */
function withTaints(current: KubeObject, seen: NodeObject, wanted: readonly Taint[]): KubeObject {
  const { taints, ...rest } = (current as NodeObject).spec;
  if (!sameJson(taints, seen.spec.taints)) return current;
  return { ...current, spec: wanted.length > 0 ? { ...rest, taints: wanted } : rest };
}

const NODE_NOT_READY = 'NodeNotReady';

/** A pod that is ready as far as its agent knew, on a node that cannot be counted on: the agent's part stays in ContainersReady. */
function notReady(pod: PodObject, at: string): PodObject {
  const ready = podCondition(pod, 'Ready');
  if (ready?.status !== 'True') return pod;
  const { message: _, ...rest } = ready;
  return withPodCondition(pod, { ...rest, status: 'False', reason: NODE_NOT_READY, lastTransitionTime: at });
}

/**
 * The way back. The agent tells of a pod only what is new, and does not know what was written here: a node whose engine
 * was away for a moment, or whose report came between, would never tell it again.
 */
function readyAgain(pod: PodObject, at: string): PodObject {
  const ready = podCondition(pod, 'Ready');
  if (ready?.reason !== NODE_NOT_READY || podCondition(pod, 'ContainersReady')?.status !== 'True') return pod;
  if (pod.metadata.deletionTimestamp) return pod;
  const { reason: _, ...rest } = ready;
  return withPodCondition(pod, { ...rest, status: 'True', lastTransitionTime: at });
}

async function changePods(
  { registry, now }: ControllerContext,
  node: NodeObject,
  change: (pod: PodObject, at: string) => PodObject,
): Promise<void> {
  const at = formatTime(now());
  const there = registry.byIndex(pods, 'spec.nodeName', node.metadata.name ?? '') as readonly PodObject[];
  const changed = there.filter((pod) => change(pod, at) !== pod);
  const changeOne = (current: KubeObject) => change(current as PodObject, at);
  await Promise.all(changed.map((pod) => changeExisting(registry, pods, pod, changeOne, STATUS)));
}
