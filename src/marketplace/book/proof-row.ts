import type { DatabaseSync } from "node:sqlite"
import type { Digest } from "../../protocol/digest.ts"
import type { KeyId } from "../../protocol/keys.ts"
import type { LeaseId } from "../../protocol/lease.ts"
import type { ReceiptStatement } from "../../protocol/receipt.ts"
import type { Bundle } from "../../protocol/statement.ts"

export interface ProofRow {
  digest: Digest
  lease: LeaseId
  agent: KeyId
  bundle: Bundle
  receipt: ReceiptStatement
}

/** The settled proofs in the database, each with its receipt. */
export class Proofs {
  readonly #sql: DatabaseSync

  constructor(sql: DatabaseSync) {
    this.#sql = sql
  }

  /** Call inside a write of the database. */
  add({ digest, lease, agent, bundle, receipt }: ProofRow): void {
    this.#sql
      .prepare("INSERT INTO proof (digest, lease, agent, bundle, receipt) VALUES (?, ?, ?, ?, ?)")
      .run(digest, lease, agent, JSON.stringify(bundle), JSON.stringify(receipt))
  }

  receipt(digest: Digest): ReceiptStatement {
    const row = this.#sql.prepare("SELECT receipt FROM proof WHERE digest = ?").get(digest)
    return JSON.parse((row as { receipt: string }).receipt)
  }
}
