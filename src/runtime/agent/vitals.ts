import type { ShardState } from "../shard/state.ts"
import type { Work } from "./work.ts"

const MINUTE_MS = 60_000

/** For the engine to be restarted, for large outputs to be hashed, and for a slow disk. */
const MARGIN_MS = 60 * MINUTE_MS
/** Three tries at an image of many gigabytes over a home's line, and its inputs. */
const FETCH_LIMIT_MS = 12 * 60 * MINUTE_MS

/**
 * How long a shard may be in one state, in milliseconds, before its walk counts as stuck; null for as long as it takes. Every wait on the
 * road has a shorter limit of its own: this one finds a bug in them.
 */
export function longestMs({ step, assignment }: ShardState): number | null {
  switch (step) {
    case "leased":
      return FETCH_LIMIT_MS
    case "prepared":
    case "ran":
      return MARGIN_MS
    case "running":
      return assignment.spec.limits.timeMs + MARGIN_MS
    // A proof waits for the marketplace for as long as its lease can be kept, and large outputs for a slow line.
    case "proved":
    case "committed":
    case "settled":
    case "abandoned":
      return null
    default:
      return step satisfies never
  }
}

/** The works whose walks are stuck. @param nowMs on the clock of `performance.now`. */
export function stuck(works: readonly Work[], nowMs: number): Work[] {
  return works.filter(({ state, isHeld, since }) => {
    const limitMs = longestMs(state)
    return !isHeld && limitMs !== null && nowMs - since > limitMs
  })
}
