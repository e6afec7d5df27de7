import type { Logger } from "pino"
import type { ClientMessage, Held } from "../../protocol/message.ts"
import type { Link } from "../market/link.ts"
import type { EndState, Proved } from "../shard/state.ts"
import { blame } from "./blame.ts"
import type { Breakers } from "./breakers.ts"
import type { ServedSlot } from "./slots.ts"

export interface CapacityParts {
  slots: readonly ServedSlot[]
  link: Link
  log: Logger
}

/** What the owner gives to the marketplace at this moment. */
export interface Given {
  isServing: boolean
  holding: Held[]
}

/** Tells the marketplace with which slots the agent serves: one behind an open breaker is left out, and comes back for its trial. */
export class Capacity {
  readonly #parts: CapacityParts
  readonly #breakers: Breakers
  readonly #given: () => Given
  #trial: NodeJS.Timeout | undefined

  constructor(parts: CapacityParts, breakers: Breakers, given: () => Given) {
    this.#parts = parts
    this.#breakers = breakers
    this.#given = given
  }

  get message(): ClientMessage {
    const { isServing, holding } = this.#given()
    const slots = this.#parts.slots.map(({ slot }) => slot).filter(({ id }) => this.#breakers.servesSlot(id))
    return { type: "capacity", slots: isServing ? slots : [], holding }
  }

  announce(): void {
    this.#parts.link.tell(this.message)
    clearTimeout(this.#trial)
    const waitMs = this.#breakers.nextTrialMs
    // It must not keep a process alive whose agent has ended.
    if (waitMs !== null) this.#trial = setTimeout(() => this.announce(), waitMs + 1).unref()
  }

  /** Lets the breakers know how a shard fared, and the marketplace, where that closes or opens a slot. */
  learn(end: Proved | EndState, lastedMs: number): void {
    const { assignment, berth } = end
    const { job, spec } = assignment
    const before = this.#breakers.servesSlot(berth.slot)
    this.#breakers.ended({ image: spec.image.digest, job, slot: berth.slot }, blame(end, lastedMs))
    if (this.#breakers.servesSlot(berth.slot) === before) return
    this.#parts.log.warn({ slot: berth.slot, breakers: this.#breakers.report() }, "slot.left-out")
    this.announce()
  }
}
