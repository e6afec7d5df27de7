import type { CardReport } from "../../host/telemetry/telemetry.ts"
import type { AgentStatus } from "../status.ts"

/** All that a scrape tells, as plain data. */
export interface MetricsReport {
  /** This program's. */
  version: string
  agent: Pick<AgentStatus, "connected" | "slots" | "settled" | "abandoned" | "earned">
  cards: readonly CardReport[]
}

export type Labels = Record<string, string>

/** One metric: its values, each with its labels. A value that is null is left out: what is not known is not 0. */
export interface Family {
  name: string
  help: string
  type: "gauge" | "counter"
  labels: readonly string[]
  values: readonly { labels: Labels; value: number | null }[]
}
