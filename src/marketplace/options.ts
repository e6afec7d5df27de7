import type { Logger } from "pino"
import { MicroCredits } from "../protocol/credits.ts"
import type { Digest } from "../protocol/digest.ts"
import { AUDIT_DEFAULTS, type AuditTerms } from "./audit/terms.ts"
import type { Witness } from "./ledger/cosign.ts"

/** What a marketplace promises and demands; all durations in milliseconds. */
export interface Terms {
  /** Credits that each newly registered identity gets: the money supply of an embedded marketplace. */
  grant: MicroCredits
  /** The marketplace's share of each settled shard's price, in hundredths of a percent. */
  feeBasisPoints: number
  /** How long a lease lasts from its grant, and from each renewal. */
  leaseMs: number
  /** How long an agent may think about an offer. */
  offerMs: number
  /** How long a job may wait while no connected agent could run it. */
  unmatchedMs: number
  /** How often a shard may be abandoned before its job fails. */
  attempts: number
  /** How often agents are audited, and what they lose by a wrong result. */
  audit: AuditTerms
  /** The images whose programs do the same whenever they run: agents have bonds at stake under these alone. */
  vouched: readonly Digest[]
  /** How long an agent has to show the states that are drawn. */
  revealMs: number
  /** How long a shard is not offered again to an agent that declined, ignored or lost it. */
  coolOffMs: number
}

export interface MarketOptions extends Partial<Terms> {
  /** Folder of `market.pem`, `market.sqlite`, `blobs/` and `ledger/`. */
  root: string
  host: string
  /** 0 takes any free port. */
  port: number
  /** Who is asked to sign that the ledger only grew; nobody when not given. */
  witnesses?: readonly Witness[]
  /** Pages for people; there are when not said otherwise. */
  explorer?: boolean
  log: Logger
  /** Milliseconds since 1970. */
  clock?: () => number
}

export const MARKET_DEFAULTS: Terms = {
  grant: MicroCredits.parse(1000_000_000),
  feeBasisPoints: 200,
  leaseMs: 60_000,
  offerMs: 10_000,
  unmatchedMs: 600_000,
  attempts: 3,
  audit: AUDIT_DEFAULTS,
  vouched: [],
  revealMs: 600_000,
  coolOffMs: 5_000,
}
