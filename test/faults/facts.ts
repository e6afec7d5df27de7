import type { Posting } from "../../src/protocol/books.ts"
import type { Digest } from "../../src/protocol/digest.ts"

/** What the marketplace's database says of a job and of its books. */
export interface MarketFacts {
  job: { state: string; reason: string | null }
  shards: {
    label: string
    state: string
    lease: string
    proof: string | null
    /** As the marketplace wrote them down, and the digest of the bytes that are really stored; null where there are none. */
    outputs: { name: string; digest: Digest; stored: Digest | null }[]
  }[]
  /** Of the job's shards. */
  proofs: { digest: string; lease: string }[]
  settlements: Posting[]
  /** What is left in the job's escrow, in micro-credits. */
  escrow: number
  /** Of all postings ever. */
  ledgerSum: number
  /** Postings whose own legs do not come to zero. */
  unsound: number
  /** Leases that were paid more than once. */
  paidTwice: string[]
  /** The first entry of the ledger that is not what its tree or its books say. */
  brokenAt: number | null
  /** The agent's account, without what it was granted. */
  balance: number
}

/** What the agent's journal and archive say of a job. */
export interface AgentFacts {
  journal: {
    lease: string
    epoch: number
    step: string
    paid: number
    proof: string | null
    code: string | null
    message: string | null
  }[]
  /** Micro-credits of all shards ever. */
  earned: number
  archive: { lease: string; epoch: number; proof: string; hasReceipt: boolean }[]
  /** Why the chain of proofs cannot be read back to its first, if it cannot. */
  archiveBroken: string | null
}

/** What lies about, each line one thing. */
export type Leftovers = string[]

export interface Facts {
  job: string
  /** Null where it was not over in time. */
  market: MarketFacts
  agent: AgentFacts
  expected: { digest: Digest; paid: number; price: number }
}

export interface Violation {
  rule: string
  detail: string
}
