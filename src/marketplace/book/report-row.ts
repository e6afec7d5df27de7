import type { DatabaseSync } from "node:sqlite"
import { type CapacityReport, reportDigest } from "../../protocol/capacity-report.ts"
import type { KeyId } from "../../protocol/keys.ts"
import type { Measurement } from "../../protocol/measurement.ts"
import type { Bundle } from "../../protocol/statement.ts"

/** What was measured of one card, or of the machine for its processor. */
export interface Measured {
  /** A card that computed or remembered wrongly is not sound. */
  isSound: boolean
  /** Medians by the figure's name, each in its own unit. */
  medians: ReadonlyMap<string, number>
}

/** The newest capacity report of each agent. */
export class Reports {
  readonly #sql: DatabaseSync
  /** Matching asks for every slot at each look. */
  readonly #known = new Map<KeyId, ReadonlyMap<string, Measured>>()

  constructor(sql: DatabaseSync) {
    this.#sql = sql
  }

  /** Takes the place of an earlier one; call inside a write of the database. */
  put(agent: KeyId, report: CapacityReport, bundle: Bundle, at: number): void {
    this.#sql
      .prepare(
        `INSERT INTO capacity_report (agent, digest, report, bundle, received_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (agent) DO UPDATE SET digest = excluded.digest, report = excluded.report,
           bundle = excluded.bundle, received_at = excluded.received_at`,
      )
      .run(agent, reportDigest(report), JSON.stringify(report), JSON.stringify(bundle), at)
    this.#known.delete(agent)
  }

  of(agent: KeyId): CapacityReport | null {
    const row = this.#sql.prepare("SELECT report FROM capacity_report WHERE agent = ?").get(agent)
    return row ? JSON.parse((row as { report: string }).report) : null
  }

  /** What is known of this agent's slot: a card's slot has the card's identity as its id. Null when nothing is. */
  measured(agent: KeyId, slot: { id: string; device: string }): Measured | null {
    const known = this.#known.get(agent) ?? measuredIn(this.of(agent))
    this.#known.set(agent, known)
    return known.get(slot.device === "cpu" ? PROCESSOR : slot.id) ?? null
  }
}

const PROCESSOR = "cpu"

function measuredIn(report: CapacityReport | null): Map<string, Measured> {
  if (report === null) return new Map()
  const { host, work, cards } = report
  const worked = work?.figures ?? []
  const ofCards = cards.map(({ identity, state, figures }) => {
    return [identity, { isSound: state !== "degraded", medians: mediansOf(figures) }] as const
  })
  const onProcessor = work?.device === "cpu" ? [...host.figures, ...worked] : host.figures
  return new Map([...ofCards, [PROCESSOR, { isSound: true, medians: mediansOf(onProcessor) }]])
}

function mediansOf(figures: Measurement[]): Map<string, number> {
  return new Map(figures.map(({ name, median }) => [name, median]))
}
