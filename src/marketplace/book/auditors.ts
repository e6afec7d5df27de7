import type { AuditPolicy } from "../../protocol/audit.ts"
import type { KeyId } from "../../protocol/keys.ts"
import { isAudited } from "./committing.ts"
import type { Exchange } from "./exchange.ts"
import { type Place, suits } from "./fit.ts"
import type { JobRow } from "./job-row.ts"
import { kindOf } from "./kind.ts"

/** How many agents run a shard that is audited, its first one included. */
export function copiesOf(audit: AuditPolicy | undefined): number {
  return audit?.kind === "replicate" ? audit.copies : 2
}

/** Finds whose work others could run again: agents of other owners, with what computes alike. One look at one moment's places. */
export class Auditors {
  readonly #kinds = new Map<Place, string>()
  readonly #exchange: Pick<Exchange, "identities" | "reports" | "roster">
  readonly #places: readonly Place[]

  constructor(exchange: Pick<Exchange, "identities" | "reports" | "roster">, places: readonly Place[]) {
    this.#exchange = exchange
    this.#places = places
  }

  /** Whether enough others could run again what is run here. */
  areEnoughFor({ spec, owner }: Pick<JobRow, "spec" | "owner">, place: Place): boolean {
    if (!isAudited(spec)) return true
    const others = new Set<KeyId>()
    for (const other of this.#places) {
      const isOther = other.agent !== place.agent && other.agent !== owner
      if (isOther && suits(other, spec.resources) && this.#kindOf(other) === this.#kindOf(place))
        others.add(other.agent)
    }
    return others.size >= copiesOf(spec.audit) - 1
  }

  /** Why no agent's work could be run again; null when one's could. */
  missing(job: Pick<JobRow, "spec" | "owner">): string | null {
    const { spec } = job
    const able = this.#places.filter(place => suits(place, spec.resources))
    if (able.length === 0 || able.some(place => this.areEnoughFor(job, place))) return null
    const others = copiesOf(spec.audit) - 1
    const agents = new Set(able.map(({ agent }) => agent)).size
    const alike = spec.resources.device === "cpu" ? "the same processor" : "the same card"
    return `is audited: ${others === 1 ? "one agent" : `${others} agents`} of other owners with ${alike} must be able to run each shard again; ${agents} ${agents === 1 ? "agent that could run it is" : "agents that could run it are"} connected`
  }

  #kindOf(place: Place): string {
    const known = this.#kinds.get(place) ?? kindOf(this.#exchange, place.agent, place.slot.id)
    this.#kinds.set(place, known)
    return known
  }
}
