import { setTimeout as sleep } from "node:timers/promises"
import type { Digest } from "../../protocol/digest.ts"
import type { BlobStore } from "../../store/blob-store.ts"
import { leftBy, type OpenState } from "./state.ts"

const HOUR_MS = 3_600_000
/** What no shard has used for so long is fetched again when it is wanted; logs of shards are kept so long, too. */
const UNUSED_MS = 7 * 24 * HOUR_MS
/** A download that has not gone on for so long belongs to a shard that is over. */
const PARTIAL_MS = 24 * HOUR_MS

/**
 * Removes from the cache, now and every hour until the signal aborts, what no shard has used for a week.
 * @param open asked at each turn for the shards that are on the road: what they read stays.
 */
export async function keepCollected(
  open: () => readonly OpenState[],
  store: BlobStore,
  signal: AbortSignal,
  onCollected: (bytes: number) => void = () => {},
): Promise<void> {
  while (!signal.aborted) {
    const needed = new Set(open().flatMap(blobsOf))
    const bytes = await store.collect({ needed, unusedMs: UNUSED_MS, partialMs: PARTIAL_MS })
    if (bytes > 0) onCollected(bytes)
    await sleep(HOUR_MS, undefined, { signal }).catch(() => {})
  }
}

function blobsOf(shard: OpenState): Digest[] {
  const inputs = shard.assignment.spec.inputs.map(({ digest }) => digest)
  return [...inputs, ...("outputs" in shard ? leftBy(shard).map(({ digest }) => digest) : [])]
}
