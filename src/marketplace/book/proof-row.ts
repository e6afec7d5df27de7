import type { DatabaseSync } from "node:sqlite"
import type { Digest } from "../../protocol/digest.ts"
import type { KeyId } from "../../protocol/keys.ts"
import type { LeaseId } from "../../protocol/lease.ts"
import type { ReceiptStatement } from "../../protocol/receipt.ts"
import type { Bundle } from "../../protocol/statement.ts"

/** What was answered to a proof, and where the ledger has the proof itself. */
export interface Recorded {
  receipt: ReceiptStatement
  entry: number
}

export interface ProofRow extends Recorded {
  digest: Digest
  lease: LeaseId
  agent: KeyId
  bundle: Bundle
}

/** The settled proofs in the database, each with its receipt. */
export class Proofs {
  readonly #sql: DatabaseSync

  constructor(sql: DatabaseSync) {
    this.#sql = sql
  }

  /** Call inside a write of the database. */
  add({ digest, lease, agent, bundle, receipt, entry }: ProofRow): void {
    this.#sql
      .prepare("INSERT INTO proof (digest, lease, agent, bundle, receipt, entry) VALUES (?, ?, ?, ?, ?, ?)")
      .run(digest, lease, agent, JSON.stringify(bundle), JSON.stringify(receipt), entry)
  }

  recorded(digest: Digest): Recorded {
    const row = this.#sql.prepare("SELECT receipt, entry FROM proof WHERE digest = ?").get(digest)
    const { receipt, entry } = row as { receipt: string; entry: number }
    return { receipt: JSON.parse(receipt), entry }
  }
}
