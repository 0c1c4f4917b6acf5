import type { PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
import { type Stamp, stampOf, withStamp } from '../../fleet/configuration-stamp.ts';
import type { KubeObject } from '../../resources/object.ts';
import { configurationOf } from '../../resources/pod-spec-references.ts';
import { sameJson } from '../../schema/json-type.ts';
import { SEEN_ANNOTATION, type Seen, seenHash, seenOf, type TemplateOwner } from '../configuration-seen.ts';
import { CHANGE_CAUSE } from '../rollout/new-rollout.ts';
import { canonicalJson } from '../stable-hash.ts';
import { sameContent } from './copies.ts';

/** What a copy is of, which one it is, and the object itself. */
export interface Copy {
  /** `ConfigMap/name` or `Secret/name`. */
  readonly key: string;
  readonly id: string;
  readonly object: KubeObject;
}

export interface ConfigurationInput {
  readonly workload: TemplateOwner;
  readonly isRevisioned: boolean;
  /** The templates of all its revisions. */
  readonly history: readonly PodTemplateSpec[];
  /** What is there now; undefined when nothing is, or what is there is not to be copied. */
  readonly live: (key: string) => KubeObject | undefined;
  /** All that the workload has. */
  readonly copies: readonly Copy[];
  /** An id that no copy has. It must tell nothing of the content. */
  readonly newId: () => string;
}

export interface ConfigurationPlan {
  /** Copies to be made of what is live, before anything else is written. */
  readonly create: readonly Copy[];
  readonly remove: readonly Copy[];
  /** The workload's template and annotations as they should be; undefined when they are. */
  readonly write: { readonly template: PodTemplateSpec; readonly annotations: Annotations } | undefined;
  /** What of the template changes: it is another revision by content alone. */
  readonly changed: readonly string[];
  /** Only because other content is there now. It can wait for more of the kind. */
  readonly canWait: boolean;
}

type Annotations = Readonly<Record<string, string>>;

/**
 * The copies and the stamp that a workload should have. What is live is taken whenever the template or something live
 * changes, but not when the template goes back to one of its history: that is an undo, which brings its own content back. Pure.
 */
export function planConfiguration(input: ConfigurationInput): ConfigurationPlan {
  const { template } = input.workload.spec;
  const keys = configurationOf(template.spec);
  if (!input.isRevisioned || keys.length === 0) return finish(input, { create: [], changed: [] });
  const { create, ids } = liveIds(input, keys);
  const seen = seenOf(input.workload);
  const stamp = stampOf(template) ?? {};
  const isLooked = seen?.template === seenHash(template);
  const isOther = keys.some((key) => ids[key] !== undefined && ids[key] !== seen?.live[key]);
  const takesLive = isLooked
    ? isOther || !isWhole(input, stamp)
    : !isUndo(input, keys, stamp, seen !== undefined);
  const next = takesLive ? stampFrom(input, keys, stamp, ids) : stampOf(template);
  const changed = keys.filter((key) => (stamp[key] ?? '') !== (next?.[key] ?? ''));
  const live = Object.fromEntries(keys.map((key) => [key, ids[key] ?? seen?.live[key] ?? '']));
  const cause = causeOf(input, { isByContent: isLooked && changed.length > 0, isLooked, changed });
  return {
    ...finish(input, { create, changed, next: { stamp: next, live, ...cause } }),
    canWait: isLooked,
  };
}

/** By key the copy that has the content of what is live: one that is there, or a new one. */
function liveIds({ live, copies, newId }: ConfigurationInput, keys: readonly string[]) {
  const create: Copy[] = [];
  const ids: Record<string, string> = {};
  for (const key of keys) {
    const object = live(key);
    if (!object) continue;
    const same = copies.find((copy) => copy.key === key && sameContent(copy.object, object));
    const copy = same ?? { key, id: newId(), object };
    if (!same) create.push(copy);
    ids[key] = copy.id;
  }
  return { create, ids };
}

/** Whether all copies that the stamp names are there, of what could be copied anew. */
function isWhole({ copies, live }: ConfigurationInput, stamp: Stamp): boolean {
  return Object.entries(stamp).every(
    ([key, id]) => id === '' || live(key) === undefined || copies.some((copy) => isThat(copy, key, id)),
  );
}

function isThat(copy: Copy, key: string, id: string): boolean {
  return copy.key === key && copy.id === id;
}

/**
 * A template of the history. One from before there were stamps is stamped when the first is; but who goes back to it
 * later must not be sent forward again.
 */
function isUndo(
  input: ConfigurationInput,
  keys: readonly string[],
  stamp: Stamp,
  wasStamped: boolean,
): boolean {
  const hasAll = keys.every((key) => stamp[key] !== undefined);
  if (!(hasAll || wasStamped) || !isWhole(input, stamp)) return false;
  const text = canonicalJson(input.workload.spec.template);
  return input.history.some((template) => canonicalJson(template) === text);
}

/** Of what is gone, pods keep what they had. */
function stampFrom({ copies }: ConfigurationInput, keys: readonly string[], stamp: Stamp, ids: Stamp): Stamp {
  const kept = (key: string) => copies.find((copy) => isThat(copy, key, stamp[key] ?? ''))?.id;
  return Object.fromEntries(keys.map((key) => [key, ids[key] ?? kept(key) ?? '']));
}

/** A cause that was written here is replaced and removed here; anybody else's is left alone. */
function causeOf(
  { workload }: ConfigurationInput,
  change: { isByContent: boolean; isLooked: boolean; changed: readonly string[] },
): { readonly cause?: string } {
  const present = workload.metadata.annotations?.[CHANGE_CAUSE];
  const own = seenOf(workload)?.cause;
  if (present !== undefined && present !== own) return {};
  if (change.isByContent) return { cause: `${change.changed.join(', ')} changed` };
  return change.isLooked && present !== undefined ? { cause: present } : {};
}

interface Wanted {
  readonly create: readonly Copy[];
  readonly changed: readonly string[];
  /** Undefined: nothing of it. */
  readonly next?: { readonly stamp: Stamp | undefined; readonly live: Stamp; readonly cause?: string };
}

function finish(input: ConfigurationInput, { create, changed, next }: Wanted): ConfigurationPlan {
  const { workload, history, copies } = input;
  const before = workload.spec.template;
  const template = sameStamp(stampOf(before), next?.stamp) ? before : withStamp(before, next?.stamp);
  const { [SEEN_ANNOTATION]: _, ...others } = workload.metadata.annotations ?? {};
  const own = seenOf(workload)?.cause;
  if (own !== undefined && others[CHANGE_CAUSE] === own) delete others[CHANGE_CAUSE];
  const seen: Seen | undefined = next && {
    template: seenHash(template),
    live: next.live,
    ...(next.cause && { cause: next.cause }),
  };
  const annotations = {
    ...others,
    ...(next?.cause && { [CHANGE_CAUSE]: next.cause }),
    ...(seen && { [SEEN_ANNOTATION]: canonicalJson(seen) }),
  };
  const isSame = template === before && sameJson(annotations, workload.metadata.annotations ?? {});
  const needed = [...history.map((each) => stampOf(each)), ...[stampOf(before), next?.stamp, next?.live]];
  const isNeeded = ({ key, id }: Copy) => needed.some((stamp) => stamp?.[key] === id);
  return {
    create,
    remove: copies.filter((copy) => !isNeeded(copy)),
    write: isSame ? undefined : { template, annotations },
    changed,
    canWait: false,
  };
}

function sameStamp(a: Stamp | undefined, b: Stamp | undefined): boolean {
  return a === undefined || b === undefined ? a === b : sameJson(a, b);
}
