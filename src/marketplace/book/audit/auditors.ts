import type { AuditPolicy } from "../../../protocol/audit.ts"
import type { Exchange } from "../exchange.ts"
import { type Place, suits } from "../fit.ts"
import type { JobRow } from "../job-row.ts"
import { isAudited } from "./committing.ts"
import { kindOf } from "./kind.ts"

type Sources = Pick<Exchange, "identities" | "reports">

/** Finds whose work others could run again: agents of other owners, with what computes alike. One look at one moment's places. */
export class Auditors {
  readonly #kinds = new Map<Place, string>()
  readonly #enough = new Map<string, boolean>()
  readonly #sources: Sources
  readonly #places: readonly Place[]

  constructor(sources: Sources, places: readonly Place[]) {
    this.#sources = sources
    this.#places = places
  }

  /**
   * Whether enough others could run again what is run at a place. Asked of many shards of a job, it is reckoned once for each agent and kind.
   * @param isCut whether the shard is cut into segments, whose states may differ if the job says so.
   */
  of(job: Pick<JobRow, "id" | "spec" | "owner">, { isCut }: { isCut: boolean }): (place: Place) => boolean {
    return place => {
      const name = `${job.id} ${isCut} ${place.agent} ${this.#kindOf(place)}`
      const known = this.#enough.get(name) ?? this.#areEnough(job, isCut, place)
      this.#enough.set(name, known)
      return known
    }
  }

  /** Why no agent's work could be run again; null when one's could. */
  missing(job: Pick<JobRow, "id" | "spec" | "owner">): string | null {
    const { resources, audit } = job.spec
    if (!isAudited(job.spec)) return null
    const able = this.#places.filter(place => suits(place, resources))
    if (able.length === 0 || able.some(this.of(job, { isCut: false }))) return null
    const others = agentsFor(audit) - 1
    const agents = new Set(able.map(({ agent }) => agent)).size
    const whose = others === 1 ? "an agent of another owner" : `${others} agents of other owners`
    const alike = resources.device === "cpu" ? "processor" : "card"
    const there = agents === 1 ? "one agent is" : `${agents} agents are`
    return `is audited, so that ${whose} with the same ${alike} must be able to run each shard again; ${there} connected that could run it`
  }

  #areEnough({ spec, owner }: Pick<JobRow, "spec" | "owner">, isCut: boolean, place: Place): boolean {
    const isAnyKind = isCut && isTolerant(spec.audit)
    const others = this.#places.filter(
      other =>
        other.agent !== place.agent &&
        other.agent !== owner &&
        suits(other, spec.resources) &&
        (isAnyKind || this.#kindOf(other) === this.#kindOf(place)),
    )
    return new Set(others.map(({ agent }) => agent)).size >= agentsFor(spec.audit) - 1
  }

  #kindOf(place: Place): string {
    const known = this.#kinds.get(place) ?? kindOf(this.#sources, place.agent, place.slot)
    this.#kinds.set(place, known)
    return known
  }
}

/** How many agents it takes to audit a shard, its first one included: where states may differ, a third one compares them. */
function agentsFor(audit: AuditPolicy | undefined): number {
  if (audit?.kind === "replicate") return audit.copies
  return isTolerant(audit) ? 3 : 2
}

function isTolerant(audit: AuditPolicy | undefined): boolean {
  return audit?.kind === "spot" && audit.tolerance !== null
}
