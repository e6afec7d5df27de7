/** After how many failures in a row a breaker opens, how many different causes they need, and for how long it opens. */
export interface BreakerTerms {
  failures: number
  causes: number
  /** The first time, in milliseconds; doubled each time that its trial fails, up to the longest. */
  firstMs: number
  longestMs: number
}

/** An image that fails three times in a row here is left alone for a while. */
export const IMAGE_TERMS: BreakerTerms = { failures: 3, causes: 1, firstMs: 60_000, longestMs: 4 * 3_600_000 }

/** Where it may as well be one buyer's program that fails, an image is blamed when it fails for several jobs. */
export const SUSPECT_TERMS: BreakerTerms = { ...IMAGE_TERMS, causes: 2 }

/** A card is blamed when different images fail on it in a row: one bad image must not close a good card. */
export const SLOT_TERMS: BreakerTerms = { failures: 3, causes: 2, firstMs: 60_000, longestMs: 4 * 3_600_000 }

/**
 * A circuit breaker (Nygard, "Release It!", 2007): closed it lets all through, open it lets nothing through for a time, half open it lets
 * one trial through, whose end decides. Times are in milliseconds on a clock that never jumps.
 */
export type Breaker =
  | { state: "closed"; causes: readonly string[] }
  | { state: "open"; until: number; trips: number }
  | { state: "half-open"; trips: number }

export const CLOSED: Breaker = { state: "closed", causes: [] }

/** Whether a shard may be taken now. */
export function admits(breaker: Breaker, now: number): boolean {
  return breaker.state === "closed" || (breaker.state === "open" && now >= breaker.until)
}

/** A shard is taken: behind an open breaker whose time is over it is the trial. */
export function taken(breaker: Breaker): Breaker {
  return breaker.state === "open" ? { state: "half-open", trips: breaker.trips } : breaker
}

export function succeeded(): Breaker {
  return CLOSED
}

/**
 * A shard failed, and it may be the fault of what the breaker guards. While it is open, only shards from before can fail: they say
 * nothing new.
 * @param cause what it failed with: an image on a card, a job with an image.
 */
export function failed(breaker: Breaker, cause: string, now: number, terms: BreakerTerms): Breaker {
  if (breaker.state === "open") return breaker
  if (breaker.state === "half-open") return opened(breaker.trips + 1, now, terms)
  const causes = [...breaker.causes, cause].slice(-terms.failures)
  const isOver = causes.length >= terms.failures && new Set(causes).size >= terms.causes
  return isOver ? opened(1, now, terms) : { state: "closed", causes }
}

/** A shard ended in a way that says nothing of what is guarded: another trial may come at once. */
export function unproven(breaker: Breaker, now: number): Breaker {
  return breaker.state === "half-open" ? { state: "open", until: now, trips: breaker.trips } : breaker
}

function opened(trips: number, now: number, { firstMs, longestMs }: BreakerTerms): Breaker {
  return { state: "open", until: now + Math.min(longestMs, firstMs * 2 ** (trips - 1)), trips }
}
