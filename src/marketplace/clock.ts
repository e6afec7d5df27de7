/** A clock that is slewed moves less between two looks; one that is set moves more. */
const STEP_MS = 1000

/**
 * Milliseconds since 1970, as the machine's clock has them, but never jumping: when somebody sets that clock, leases and offers go on for
 * as long as was promised, and the ledger stays in order. A new start takes the clock as it is then.
 */
export function steadyClock(
  wall: () => number = Date.now,
  monotonic: () => number = () => performance.now(),
): () => number {
  let offset = wall() - monotonic()
  return () => {
    const drift = wall() - monotonic() - offset
    if (Math.abs(drift) < STEP_MS) offset += drift
    return Math.round(monotonic() + offset)
  }
}
