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

  /** What its owner showed of the machine; null for who is not registered. */
  machine(keyId: KeyId): Machine | null {
    const row = this.#sql.prepare("SELECT machine FROM identity WHERE key_id = ?").get(keyId)
    return row ? JSON.parse((row as { machine: string }).machine) : null
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
