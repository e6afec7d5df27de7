import { setTimeout as sleep } from "node:timers/promises"
import type { Logger } from "pino"
import { isFault } from "../../protocol/fault.ts"
import type { OfferId } from "../../protocol/lease.ts"
import type { MarketFrameOf } from "../../protocol/message.ts"
import type { ShardSpec } from "../../protocol/shard-spec.ts"
import { judge, type Refusal, ruleTold } from "../host/rules/judge.ts"
import type { Link } from "../market/link.ts"
import type { Ports } from "../shard/ports.ts"
import { leased } from "../shard/state.ts"
import type { Breakers } from "./breakers.ts"
import { type Decision, decide, type ServedSlot } from "./slots.ts"
import type { Walks } from "./walks.ts"

/** How long an offer waits for a slot that is about to be free. */
const PATIENCE_MS = 2000

type Offered = Pick<MarketFrameOf<"offer">, "spec" | "price">

export interface OffersParts {
  slots: readonly ServedSlot[]
  link: Link
  ports: Pick<Ports, "rules" | "registry">
  log: Logger
}

/** Takes the offers that the owner's rules, the slots and the breakers let through, and declines the others. */
export class Offers {
  readonly #parts: OffersParts
  readonly #walks: Walks
  readonly #breakers: Breakers

  constructor(parts: OffersParts, walks: Walks, breakers: Breakers) {
    this.#parts = parts
    this.#walks = walks
    this.#breakers = breakers
  }

  /**
   * Accepts an offer and starts its shard, or declines it.
   * @param isServing asked again after each wait: the owner may have paused the agent meanwhile.
   */
  async consider(
    offered: MarketFrameOf<"offer">,
    isServing: () => boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const { offer } = offered
    await this.#untilFree(offered)
    // From here to the reservation nothing is waited for: two offers must not choose the same slot.
    const decision: Decision = isServing() ? this.#decide(offered) : { decline: "draining" }
    if ("decline" in decision) this.#decline(offer, decision)
    else await this.#accept(offered, decision.taken, signal)
  }

  /** Why the owner does not let this shard run; null when it may. */
  judge(spec: ShardSpec): Refusal | null {
    const { rules, registry } = this.#parts.ports
    return judge(spec, rules, new URL(registry.url).host)
  }

  async #accept(
    { offer, job: of, spec, price }: MarketFrameOf<"offer">,
    { slot, berth }: ServedSlot,
    signal: AbortSignal,
  ): Promise<void> {
    const { profile } = this.#parts.ports.rules
    const pairing = { image: spec.image.digest, job: of, slot: slot.id }
    this.#walks.reserve(slot.id)
    this.#breakers.taken(pairing)
    try {
      const accept = { type: "accept", offer } as const
      const { lease, job, shard, checkpoint } = await this.#parts.link.requestOnce(accept, "lease", signal)
      const assignment = { lease, job, shard, spec, price, ...(checkpoint && { checkpoint }) }
      this.#walks.start(leased(assignment, { ...berth, profile }), signal)
    } catch (error) {
      this.#breakers.ended(pairing, "nobody")
      this.#walks.free(slot.id)
      if (!isFault(error) && !signal.aborted) throw error
      if (isFault(error)) this.#parts.log.info({ offer, code: error.code }, "offer.lost")
    }
  }

  /** The marketplace counts a slot as free from its receipt on; here a little is still to be cleaned up then. */
  async #untilFree(offered: Offered): Promise<void> {
    const patience = new AbortController()
    let isLate = false
    const late = sleep(PATIENCE_MS, undefined, { signal: patience.signal }).then(
      () => {
        isLate = true
      },
      () => {},
    )
    while (isBusy(this.#decide(offered)) && !isLate) await Promise.race([this.#walks.changed.next, late])
    patience.abort()
  }

  #decide({ spec, price }: Offered): Decision {
    const refusal = this.judge(spec)
    if (refusal) return { decline: "not-allowed", refusal }
    if (!this.#breakers.admitsImage(spec.image.digest)) return { decline: "failing" }
    const { slots } = this.#parts
    const barred = slots.map(({ slot }) => slot.id).filter(id => !this.#breakers.servesSlot(id))
    const wanted = { resources: spec.resources, price, timeMs: spec.limits.timeMs }
    return decide(wanted, slots, new Set([...this.#walks.taken, ...barred]))
  }

  #decline(offer: OfferId, { decline: reason, refusal }: Extract<Decision, { decline: unknown }>): void {
    const { log, link } = this.#parts
    if (refusal) log.info({ offer, rule: refusal.rule, message: refusal.message }, "offer.declined")
    else log.info({ offer, reason }, "offer.declined")
    link.tell({ type: "decline", offer, reason, ...(refusal && { rule: ruleTold(refusal) }) })
  }
}

function isBusy(decision: Decision): boolean {
  return "decline" in decision && decision.decline === "busy"
}
