import { ApiError, expired } from '../resources/api-error.ts';
import { type Change, CompactedError, type Store } from '../store/store.ts';

/** What happened below a prefix since a revision. Throws 504 for one that is yet to come, 410 for one too old. */
export function historyOf(store: Store, prefix: string, fromRevision: number): Change[] {
  if (fromRevision > store.revision) {
    throw new ApiError(
      504,
      'Timeout',
      `Too large resource version: ${fromRevision}, current: ${store.revision}`,
      {
        causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
        retryAfterSeconds: 1,
      },
    );
  }
  try {
    return store.history(prefix, fromRevision);
  } catch (error) {
    if (!(error instanceof CompactedError)) throw error;
    throw expired(`too old resource version: ${fromRevision} (${error.compacted})`);
  }
}
