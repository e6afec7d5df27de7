import { formatCredits } from "../protocol/credits.ts"
import type { Earnings, GroupEarnings, Grouping } from "../runtime/earnings/earnings.ts"
import { counted } from "./counted.ts"
import { columns } from "./table.ts"

export interface EarningsTable {
  by: Grouping
  groups: readonly GroupEarnings[]
  total: Earnings
  /** Proofs without an answer. */
  open: number
  /** Whether the owner gave a tariff. */
  isPriced: boolean
}

/** What a host's work brought, for people. */
export function earningsReport({ by, groups, total, open, isPriced }: EarningsTable): string {
  const head = [by, "shards", "slot time", "earned", "energy", ...(isPriced ? ["its cost", "net"] : [])]
  const rows = [...groups, { of: "in all", ...total }].map(group => row(group, isPriced))
  const notes = [
    total.unmeasured > 0 &&
      `The energy of ${counted(total.unmeasured, "shard")} is not known: cards that tell no power, and the CPU, are not measured.`,
    open > 0 && `${counted(open, "proof")} not answered yet.`,
  ].filter(note => note !== false)
  return [columns(head, rows), ...(notes.length > 0 ? ["", ...notes] : [])].join("\n")
}

function row(group: GroupEarnings, isPriced: boolean): (string | number)[] {
  const { of, shards, slotSeconds, paid, energyCost, net } = group
  const costs = [energyCost, net].map(amount => (amount === null ? "unknown" : formatCredits(amount)))
  return [
    of,
    shards,
    `${slotSeconds.toFixed(1)} s`,
    formatCredits(paid),
    energy(group),
    ...(isPriced ? costs : []),
  ]
}

/** What is known, and of how many shards it is not. */
function energy({ energyJoules, unmeasured }: Earnings): string {
  if (energyJoules === null) return unmeasured > 0 ? "unknown" : ""
  const known = `${(energyJoules / 3_600_000).toFixed(3)} kWh`
  return unmeasured > 0 ? `${known} + ${unmeasured} unknown` : known
}
