import type { AuditPolicy } from "../../protocol/audit.ts"
import { MicroCredits } from "../../protocol/credits.ts"
import { mostOf, type Price } from "../../protocol/price.ts"
import { AUDIT_DEFAULTS } from "./terms.ts"

/** What a container needs before its first step, whatever it then does: images are loaded, devices opened. */
const START_MS = 60_000

/** A part may take as long as its share of what the shard may take. */
export function partTimeMs(timeMs: number, of: number): number {
  return Math.min(timeMs, Math.ceil(timeMs / of) + START_MS)
}

/** What running a part again is paid: its share of the shard's price. A price for a second is the same for each. */
export function partPrice(price: Price, of: number): Price {
  return price.per === "second"
    ? price
    : { ...price, amount: MicroCredits.parse(Math.ceil(price.amount / of)) }
}

/** What a job's audits are about. */
export interface Audited {
  audit: AuditPolicy | undefined
  price: Price
  timeMs: number
  /** Shards that are audited whole, and those that are cut into segments. */
  whole: number
  cut: number
}

/** The most that shards' audits cost while nobody differs, each answer taken as it is. In micro-credits. */
export function mostOfAudits({ audit, price, timeMs, whole, cut }: Audited): number {
  if (audit === undefined || audit.kind === "none") return 0
  const once = mostOf(price, timeMs)
  if (audit.kind !== "spot") return (audit.kind === "replicate" ? audit.copies - 1 : 1) * once * whole
  const { segments, drawn, tolerance } = audit
  // Steps are cut into equal segments, so that there may be fewer than were asked for, and at least half as many.
  const fewest = Math.ceil(segments / 2)
  const part = mostOf(partPrice(price, fewest), partTimeMs(timeMs, fewest))
  // The outputs are made once more where the last segment is drawn; states that may differ are compared.
  const parts = drawn + 1 + (tolerance === null ? 0 : drawn)
  return once * whole + parts * part * cut
}

/** What a job sets aside for further answers: those that audit answers, and a dispute over a whole shard. What is left of it goes back. */
export function furtherAnswers({ audit, price, timeMs }: Omit<Audited, "whole" | "cut">): number {
  return audit === undefined || audit.kind === "none" ? 0 : AUDIT_DEFAULTS.lead * mostOf(price, timeMs)
}
