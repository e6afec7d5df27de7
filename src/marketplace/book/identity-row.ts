import type { DatabaseSync } from "node:sqlite"
import type { KeyId, PublicKey } from "../../protocol/keys.ts"
import type { Machine } from "../../protocol/message.ts"

export interface IdentityRow {
  keyId: KeyId
  publicKey: PublicKey
  name: string
  machine: Machine
  at: number
}

/** Who is registered. */
export class Identities {
  readonly #sql: DatabaseSync

  constructor(sql: DatabaseSync) {
    this.#sql = sql
  }

  has(keyId: KeyId): boolean {
    return this.#sql.prepare("SELECT 1 FROM identity WHERE key_id = ?").get(keyId) !== undefined
  }

  /** Adds the identity, or takes over its new name and machine; call inside a write of the database. */
  put({ keyId, publicKey, name, machine, at }: IdentityRow): void {
    this.#sql
      .prepare(
        `INSERT INTO identity (key_id, public_key, name, machine, registered_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (key_id) DO UPDATE SET name = excluded.name, machine = excluded.machine`,
      )
      .run(keyId, publicKey, name, JSON.stringify(machine), at)
  }
}
