import type { DatabaseSync } from "node:sqlite"
import type { KeyId } from "../../protocol/keys.ts"

/** All balances by the kind of account, in micro-credits: adds up what is new since the last look. */
export class Totals {
  readonly #sql: DatabaseSync
  readonly #sums = new Map<string, number>()
  #last = 0

  constructor(sql: DatabaseSync) {
    this.#sql = sql
  }

  /** Every account that is an identity's, whatever kinds there are. */
  accountsOf(keyId: KeyId): string[] {
    return [...this.read().keys()].map(kind => `${kind}:${keyId}`)
  }

  /** By what stands before an account's colon, such as `escrow`. */
  read(): ReadonlyMap<string, number> {
    const { last } = this.#sql.prepare("SELECT coalesce(max(rowid), 0) AS last FROM leg").get() as {
      last: number
    }
    const rows = this.#sql
      .prepare(
        `SELECT substr(account, 1, instr(account || ':', ':') - 1) AS kind, sum(amount) AS sum
         FROM leg WHERE rowid > ? AND rowid <= ? GROUP BY 1`,
      )
      .all(this.#last, last) as { kind: string; sum: number }[]
    for (const { kind, sum } of rows) this.#sums.set(kind, (this.#sums.get(kind) ?? 0) + sum)
    this.#last = last
    return this.#sums
  }
}
