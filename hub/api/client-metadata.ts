import type { ObjectMeta } from '../resources/object.ts';

/** An empty one of these says no more than none. */
const COLLECTIONS = ['labels', 'annotations', 'finalizers', 'ownerReferences'] as const;

/** What a client sent as metadata, without what says nothing; it is told by `warn` of what it should not send. */
export function cleanMetadata(given: ObjectMeta, warn: (text: string) => void): ObjectMeta {
  const metadata = withUniqueOwners(given, warn);
  const empty = COLLECTIONS.filter((field) => Object.keys(metadata[field] ?? { full: true }).length === 0);
  if (empty.length === 0) return metadata;
  const kept = Object.entries(metadata).filter(([field]) => !empty.some((each) => each === field));
  return Object.fromEntries(kept);
}

/** An owner that is named twice counts once. */
function withUniqueOwners(metadata: ObjectMeta, warn: (text: string) => void): ObjectMeta {
  const { ownerReferences: owners = [] } = metadata;
  const unique = new Map<string, (typeof owners)[number]>();
  const repeated: string[] = [];
  for (const owner of owners) {
    const key = JSON.stringify(Object.entries(owner).sort());
    if (unique.has(key)) repeated.push(owner.uid);
    else unique.set(key, owner);
  }
  if (repeated.length === 0) return metadata;
  warn(
    `.metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: [${repeated.join(' ')}]`,
  );
  return { ...metadata, ownerReferences: [...unique.values()] };
}
