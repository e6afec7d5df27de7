import type { JobId } from "../../protocol/job.ts"
import type { KeyId } from "../../protocol/keys.ts"
import type { OfferId } from "../../protocol/lease.ts"
import type { Price } from "../../protocol/price.ts"

export interface Offer {
  id: OfferId
  agent: KeyId
  slot: string
  job: JobId
  index: number
  label: string
  price: Price
  /** When it is withdrawn, in milliseconds since 1970; never while it is being accepted. */
  until: number
}

type Target = Pick<Offer, "job" | "index">

/** The open offers. They live as long as the process: after a restart the shards are offered anew. */
export class Offers {
  #open = new Map<OfferId, Offer>()
  #cooling = new Map<string, number>()

  add(offer: Offer): void {
    this.#open.set(offer.id, offer)
  }

  get(id: OfferId, agent: KeyId): Offer | undefined {
    const offer = this.#open.get(id)
    return offer?.agent === agent ? offer : undefined
  }

  remove({ id }: Offer): void {
    this.#open.delete(id)
  }

  all(): Offer[] {
    return [...this.#open.values()]
  }

  has({ job, index }: Target): boolean {
    return this.all().some(offer => offer.job === job && offer.index === index)
  }

  /** Keeps the shard from this agent until then. */
  cool(target: Target, agent: KeyId, until: number): void {
    this.#cooling.set(keyOf(target, agent), until)
  }

  isCooling(target: Target, agent: KeyId, now: number): boolean {
    return (this.#cooling.get(keyOf(target, agent)) ?? 0) > now
  }

  /** Forgets what has cooled off, and says whether anything had. */
  warm(now: number): boolean {
    const due = [...this.#cooling].filter(([, until]) => until <= now)
    for (const [key] of due) this.#cooling.delete(key)
    return due.length > 0
  }
}

function keyOf({ job, index }: Target, agent: KeyId): string {
  return `${job} ${index} ${agent}`
}
