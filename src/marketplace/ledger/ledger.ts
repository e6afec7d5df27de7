import type { DatabaseSync } from "node:sqlite"
import { type Posting, unsoundness } from "../../protocol/books.ts"
import { MicroCredits } from "../../protocol/credits.ts"
import { canonicalJson, type Digest, digestOfHex } from "../../protocol/digest.ts"
import type { JobId, PaidFrom } from "../../protocol/job.ts"
import type { KeyId, PublicKey } from "../../protocol/keys.ts"
import {
  type Account,
  entryBytes,
  type LedgerEntry,
  type PostingKind,
  parseEntry,
  signedEntry,
} from "../../protocol/ledger-entry.ts"
import type { LedgerProof } from "../../protocol/ledger-proof.ts"
import type { MarketMessage } from "../../protocol/message.ts"
import type { Bundle } from "../../protocol/statement.ts"
import { areEqual, leafHash } from "../../protocol/tlog/hash.ts"
import { Log } from "./log.ts"
import type { Published } from "./publisher.ts"

/** An entry's place in the ledger. */
export interface Place {
  index: number
  /** Its leaf hash (RFC 6962). */
  leaf: Digest
}

/**
 * The marketplace's books and what its agents have proved: one append-only log, whose postings are double entry. Call what appends inside a
 * write of the database.
 */
export class Ledger {
  readonly log: Log
  readonly #sql: DatabaseSync
  readonly #clock: () => number

  constructor(sql: DatabaseSync, clock: () => number) {
    this.log = new Log(sql)
    this.#sql = sql
    this.#clock = clock
  }

  /** @throws Error for a posting that would make the books unsound, because that is a bug of the marketplace. */
  append(posting: Posting): Place {
    const wrong = unsoundness(posting, account => this.balance(account))
    if (wrong !== null) throw new Error(wrong)
    const spec = { ...posting, at: new Date(this.#clock()).toISOString() }
    const place = this.#record({ apiVersion: "1", kind: "zg-posting", spec })
    this.#sql
      .prepare("INSERT INTO posting (idx, leaf, kind, entry) VALUES (?, ?, ?, ?)")
      .run(place.index, place.leaf, posting.kind, canonicalJson(spec))
    const insert = this.#sql.prepare("INSERT INTO leg (posting, account, kind, amount) VALUES (?, ?, ?, ?)")
    for (const { account, amount } of posting.legs) insert.run(place.index, account, posting.kind, amount)
    return place
  }

  /** Records a statement that this key has signed, by its digest. */
  appendSigned(bundle: Bundle, digest: Digest, key: PublicKey): Place {
    return this.#record(signedEntry(bundle, digest, key))
  }

  /** What shows that these entries are in the ledger that was published. @throws RangeError where it does not reach so far. */
  prove(indices: readonly number[], { size, checkpoint }: Published): LedgerProof {
    return {
      checkpoint,
      entries: indices.map(index => ({
        index,
        body: this.log.entry(index).toString("base64"),
        hashes: this.log.inclusion(index, size).hashes.map(hash => Buffer.from(hash).toString("base64")),
      })),
    }
  }

  /** In micro-credits; below zero only for the issuer. */
  balance(account: Account): number {
    return this.#sum("account = ?", account)
  }

  /** What an identity can spend: what it was granted, and what it has earned. */
  funds(identity: KeyId): PaidFrom {
    return {
      granted: MicroCredits.parse(this.balance(`identity:${identity}`)),
      earned: MicroCredits.parse(this.balance(`earned:${identity}`)),
    }
  }

  /** Out of which accounts a job was paid when it was submitted. */
  paidFrom(job: JobId): PaidFrom {
    const rows = this.#sql
      .prepare(
        `SELECT account, -amount AS amount FROM leg WHERE amount < 0 AND posting =
           (SELECT posting FROM leg WHERE account = ? AND kind = 'submission')`,
      )
      .all(`escrow:${job}`) as { account: Account; amount: number }[]
    const outOf = (kind: string) =>
      MicroCredits.parse(rows.find(({ account }) => account.startsWith(kind))?.amount ?? 0)
    return { granted: outOf("identity:"), earned: outOf("earned:") }
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
    const { granted, earned: own } = this.funds(identity)
    return {
      type: "account",
      ...{ balance: granted + own, granted, own },
      bond: MicroCredits.parse(this.balance(`bond:${identity}`)),
      // Payments of before there were two accounts went to the first.
      earned: MicroCredits.parse(
        this.#sum(
          "account IN (?, ?, ?) AND kind = 'settlement'",
          ...[`earned:${identity}`, `bond:${identity}`, `identity:${identity}`],
        ),
      ),
      spent: MicroCredits.parse(0 - this.#sum(`${ofOwnJobs} AND kind = 'settlement'`, identity)),
      escrow: MicroCredits.parse(this.#sum(ofOwnJobs, identity)),
    }
  }

  /** The first entry that is not what the tree says, or moves other credits than the books; null when all is whole. */
  brokenAt(): number | null {
    const moved = this.#sql.prepare("SELECT entry FROM posting WHERE idx = ?")
    for (let index = 0; index < this.log.size; index++) {
      const body = this.log.entry(index)
      const entry = parseEntry(body)
      if (entry === null || !areEqual(leafHash(body), this.log.node({ level: 0, index }))) return index
      const row = moved.get(index) as { entry: string } | undefined
      const said = entry.kind === "zg-posting" ? canonicalJson(entry.spec) : undefined
      if ((row && canonicalJson(JSON.parse(row.entry))) !== said) return index
    }
    return null
  }

  /** Accounts whose kept sums are not those of their legs: none, unless somebody changed the file. */
  misstated(): Account[] {
    const counted = "SELECT account, kind, sum(amount) FROM leg GROUP BY account, kind"
    const kept = "SELECT account, kind, amount FROM turnover"
    const rows = this.#sql
      .prepare(
        `SELECT DISTINCT account FROM
           (SELECT * FROM (${counted} EXCEPT ${kept}) UNION SELECT * FROM (${kept} EXCEPT ${counted}))`,
      )
      .all() as { account: Account }[]
    return rows.map(({ account }) => account)
  }

  #record(entry: LedgerEntry): Place {
    const { index, leaf } = this.log.append(entryBytes(entry))
    return { index, leaf: digestOfHex(Buffer.from(leaf).toString("hex")) }
  }

  #sum(where: string, ...values: string[]): number {
    const row = this.#sql.prepare(`SELECT coalesce(sum(amount), 0) AS sum FROM turnover WHERE ${where}`)
    return (row.get(...values) as { sum: number }).sum
  }
}
