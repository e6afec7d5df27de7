import type { Digest } from "../../protocol/digest.ts"
import type { Verdict } from "./blame.ts"
import {
  admits,
  type Breaker,
  type BreakerTerms,
  CLOSED,
  failed,
  IMAGE_TERMS,
  SLOT_TERMS,
  SUSPECT_TERMS,
  succeeded,
  taken,
  unproven,
} from "./breaker.ts"

/** A marketplace can offer any number of images: the oldest is forgotten first. */
const MOST_IMAGES = 1024

/** One image for one job in one slot. */
export interface Pairing {
  image: Digest
  job: string
  slot: string
}

/** A breaker that is not closed, as `zg-agent status` shows it. */
export interface BreakerReport {
  guards: "image" | "slot"
  id: string
  state: "open" | "half-open"
  /** How long until it lets a trial through, in milliseconds; 0 when it does so now. */
  leftMs: number
}

/** The breakers of one agent: for each image and for each slot. They begin closed at each start. */
export class Breakers {
  readonly #images = new Map<string, Breaker>()
  readonly #slots = new Map<string, Breaker>()
  readonly #clock: () => number

  /** @param clock milliseconds that never jump, such as `performance.now`. */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock
  }

  admitsImage(image: Digest): boolean {
    return admits(this.#images.get(image) ?? CLOSED, this.#clock())
  }

  /** A slot in its trial is served, because it is busy with it. */
  servesSlot(slot: string): boolean {
    const breaker = this.#slots.get(slot) ?? CLOSED
    return breaker.state === "half-open" || admits(breaker, this.#clock())
  }

  /** How long until the next slot is served again, in milliseconds; null when none waits. */
  get nextTrialMs(): number | null {
    const waits = [...this.#slots.values()].flatMap(breaker =>
      breaker.state === "open" && breaker.until > this.#clock() ? [breaker.until - this.#clock()] : [],
    )
    return waits.length === 0 ? null : Math.min(...waits)
  }

  /** A shard is being taken. */
  taken({ image, slot }: Pairing): void {
    for (const [breakers, key] of [
      [this.#images, image],
      [this.#slots, slot],
    ] as const) {
      const breaker = breakers.get(key)
      if (breaker) keep(breakers, key, taken(breaker))
    }
  }

  /** A shard has ended, or did not come after all: then nobody is to blame. */
  ended({ image, job, slot }: Pairing, verdict: Verdict): void {
    const terms = verdict === "image" ? IMAGE_TERMS : SUSPECT_TERMS
    this.#judge(this.#images, image, { terms, cause: job, verdict })
    // What keeps an image away from here says nothing of the card.
    const ofSlot = verdict === "image" ? "nobody" : verdict
    this.#judge(this.#slots, slot, { terms: SLOT_TERMS, cause: image, verdict: ofSlot })
    for (const oldest of this.#images.keys()) {
      if (this.#images.size <= MOST_IMAGES) break
      this.#images.delete(oldest)
    }
  }

  report(): BreakerReport[] {
    const tell = (guards: "image" | "slot", breakers: Map<string, Breaker>) =>
      [...breakers].flatMap(([id, breaker]): BreakerReport[] => {
        if (breaker.state === "closed") return []
        const leftMs = breaker.state === "open" ? Math.max(0, Math.round(breaker.until - this.#clock())) : 0
        return [{ guards, id, state: breaker.state, leftMs }]
      })
    return [...tell("slot", this.#slots), ...tell("image", this.#images)]
  }

  #judge(
    breakers: Map<string, Breaker>,
    key: string,
    { terms, cause, verdict }: { terms: BreakerTerms; cause: string; verdict: Verdict },
  ): void {
    const now = this.#clock()
    const breaker = breakers.get(key) ?? CLOSED
    if (verdict === "well") keep(breakers, key, succeeded())
    else if (verdict === "nobody") keep(breakers, key, unproven(breaker, now))
    else keep(breakers, key, failed(breaker, cause, now, terms))
  }
}

/** What is as at the beginning needs no place; what changed is the newest. */
function keep(breakers: Map<string, Breaker>, key: string, breaker: Breaker): void {
  breakers.delete(key)
  if (breaker.state !== "closed" || breaker.causes.length > 0) breakers.set(key, breaker)
}
