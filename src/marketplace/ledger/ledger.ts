import type { DatabaseSync } from "node:sqlite"
import { MicroCredits } from "../../protocol/credits.ts"
import { type Digest, digestOfJson } from "../../protocol/digest.ts"
import type { JobId } from "../../protocol/job.ts"
import type { KeyId } from "../../protocol/keys.ts"
import type { MarketMessage } from "../../protocol/message.ts"
import { type Account, checkSound, type Posting, type PostingKind } from "./posting.ts"

/** A posting's place in the ledger. */
export interface Place {
  index: number
  leaf: Digest
}

/** What a leaf is the digest of: the posting, its place, and the leaf before it, so that none can change unseen. */
interface Entry extends Posting {
  index: number
  at: string
  previous: Digest | null
}

/** The marketplace's books: double entry, append-only, chained by hash. Call `append` inside a write of the database. */
export class Ledger {
  readonly #sql: DatabaseSync
  readonly #clock: () => number

  constructor(sql: DatabaseSync, clock: () => number) {
    this.#sql = sql
    this.#clock = clock
  }

  append(posting: Posting): Place {
    checkSound(posting, account => this.balance(account))
    const last = this.#last()
    const index = last ? last.index + 1 : 0
    const entry: Entry = {
      ...posting,
      index,
      at: new Date(this.#clock()).toISOString(),
      previous: last?.leaf ?? null,
    }
    const leaf = digestOfJson(entry)
    this.#sql
      .prepare("INSERT INTO posting (idx, leaf, kind, entry) VALUES (?, ?, ?, ?)")
      .run(index, leaf, posting.kind, JSON.stringify(entry))
    const insert = this.#sql.prepare("INSERT INTO leg (posting, account, kind, amount) VALUES (?, ?, ?, ?)")
    for (const { account, amount } of posting.legs) insert.run(index, account, posting.kind, amount)
    return { index, leaf }
  }

  /** In micro-credits; below zero only for the issuer. */
  balance(account: Account): number {
    return this.#sum("account = ?", account)
  }

  /** What of a job's escrow has been paid for settled shards. */
  spentOn(job: JobId): MicroCredits {
    return MicroCredits.parse(
      0 - this.#sum("account = ? AND kind = ?", `escrow:${job}`, "settlement" satisfies PostingKind),
    )
  }

  /** What was set aside when the job was submitted. */
  setAside(job: JobId): MicroCredits {
    return MicroCredits.parse(
      this.#sum("account = ? AND kind = ?", `escrow:${job}`, "submission" satisfies PostingKind),
    )
  }

  statement(identity: KeyId): Extract<MarketMessage, { type: "account" }> {
    const ofOwnJobs = "account IN (SELECT 'escrow:' || id FROM job WHERE owner = ?)"
    return {
      type: "account",
      balance: this.balance(`identity:${identity}`),
      earned: MicroCredits.parse(this.#sum("account = ? AND kind = 'settlement'", `identity:${identity}`)),
      spent: MicroCredits.parse(0 - this.#sum(`${ofOwnJobs} AND kind = 'settlement'`, identity)),
      escrow: MicroCredits.parse(this.#sum(ofOwnJobs, identity)),
    }
  }

  /** The first posting whose leaf or predecessor is not what its content says; null when the chain is whole. */
  brokenAt(): number | null {
    let previous: Digest | null = null
    const rows = this.#sql.prepare("SELECT idx, leaf, entry FROM posting ORDER BY idx").iterate()
    for (const { idx, leaf, entry } of rows as Iterable<{ idx: number; leaf: Digest; entry: string }>) {
      const content = JSON.parse(entry) as Entry
      if (content.index !== idx || content.previous !== previous || digestOfJson(content) !== leaf) return idx
      previous = leaf
    }
    return null
  }

  #last(): Place | undefined {
    const row = this.#sql.prepare('SELECT idx AS "index", leaf FROM posting ORDER BY idx DESC LIMIT 1').get()
    return row as Place | undefined
  }

  #sum(where: string, ...values: string[]): number {
    const row = this.#sql.prepare(`SELECT coalesce(sum(amount), 0) AS sum FROM leg WHERE ${where}`)
    return (row.get(...values) as { sum: number }).sum
  }
}
