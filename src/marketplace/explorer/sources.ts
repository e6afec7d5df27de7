import type { Exchange } from "../book/exchange.ts"
import type { LookUp } from "./look-up.ts"
import type { Totals } from "./totals.ts"

/** What the pages read, and never change. */
export interface Sources {
  exchange: Pick<
    Exchange,
    "commitments" | "canaries" | "jobs" | "shards" | "ledger" | "offers" | "progress" | "reports" | "roster"
  >
  lookUp: LookUp
  totals: Totals
  /** The key under the ledger's checkpoints, as text. */
  vkey: string
}
