import type { Logger } from "pino"
import type { Signer } from "../../protocol/keys.ts"
import type { BlobStore } from "../../store/blob-store.ts"
import type { Database } from "../../store/database.ts"
import type { Roster } from "../gateway/roster.ts"
import type { Ledger } from "../ledger/ledger.ts"
import type { Publisher } from "../ledger/publisher.ts"
import type { Terms } from "../options.ts"
import type { Audits } from "./audit/audit-row.ts"
import type { Canaries } from "./audit/canary-row.ts"
import type { Commitments } from "./audit/commitment-row.ts"
import type { Identities } from "./identity-row.ts"
import type { Jobs } from "./job-row.ts"
import type { Offers } from "./offers.ts"
import type { Progress } from "./progress.ts"
import type { Proofs } from "./proof-row.ts"
import type { Refusals } from "./refusals.ts"
import type { Reports } from "./report-row.ts"
import type { Shards } from "./shard-row.ts"
import type { Watches } from "./watches.ts"

/** The parts that the steps of the book work on. */
export interface Exchange {
  db: Database
  identities: Identities
  jobs: Jobs
  commitments: Commitments
  audits: Audits
  canaries: Canaries
  shards: Shards
  proofs: Proofs
  reports: Reports
  ledger: Ledger
  publisher: Publisher
  blobs: BlobStore
  roster: Roster
  offers: Offers
  refusals: Refusals
  progress: Progress
  watches: Watches
  identity: Signer
  terms: Terms
  /** Milliseconds since 1970. */
  clock: () => number
  log: Logger
  /** Something changed: match anew, soon. */
  wake: () => void
}
