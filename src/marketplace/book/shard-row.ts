import type { DatabaseSync } from "node:sqlite"
import type { MicroCredits } from "../../protocol/credits.ts"
import type { Digest, NamedBlob } from "../../protocol/digest.ts"
import type { JobId } from "../../protocol/job.ts"
import type { KeyId } from "../../protocol/keys.ts"
import type { LeaseId, Nonce } from "../../protocol/lease.ts"
import type { Price } from "../../protocol/price.ts"
import type { Assignment } from "../../protocol/proof.ts"
import type { Checkpoint, ShardSpec } from "../../protocol/shard-spec.ts"

/** A planned shard as the database holds it; an offer is not stored, so an offered shard is `ready` here. */
export interface ShardRow {
  job: JobId
  index: number
  label: string
  state: "ready" | "leased" | "committed" | "settled" | "failed"
  readyAt: number
  attempt: number
  lease: LeaseId
  /** Of the present holder, or else of the next one. */
  epoch: number
  nonce: Nonce | null
  /** What the lease frame said, in milliseconds since 1970; the proof repeats it. */
  grantedUntil: number | null
  /** The deadline after renewals. */
  notAfter: number | null
  agent: KeyId | null
  slot: string | null
  step: number
  steps: number
  loss: number | null
  proof: Digest | null
  /** When the present lease was granted, in milliseconds since 1970. */
  grantedAt: number | null
  /** What its job paid for it with royalties, in micro-credits; null until it is settled. */
  cost: MicroCredits | null
  /** The proof that this shard audits; null for one of the plan. */
  claim: Digest | null
}

/** What a row is read from. */
export const COLUMNS = `job, idx AS "index", label, state, ready_at AS readyAt, attempt, lease, epoch, nonce,
  granted_until AS grantedUntil, not_after AS notAfter, agent, slot, step, steps, loss, proof,
  granted_at AS grantedAt, cost, claim`

/** The shards in the database. Reading is immediate; call what changes something inside a write of the database. */
export class Shards {
  readonly #sql: DatabaseSync

  constructor(sql: DatabaseSync) {
    this.#sql = sql
  }

  one(job: JobId, index: number): ShardRow | undefined {
    return this.#rows("job = ? AND idx = ?", job, index)[0]
  }

  byLease(lease: LeaseId): ShardRow | undefined {
    return this.#rows("lease = ?", lease)[0]
  }

  ready(): ShardRow[] {
    return this.#rows("state = 'ready' ORDER BY ready_at, idx")
  }

  leased(): ShardRow[] {
    return this.#rows("state = 'leased'")
  }

  /** The shards of a job's plan in order, the latest `limit` of them. */
  of(job: JobId, limit = Number.MAX_SAFE_INTEGER): ShardRow[] {
    return this.#rows("job = ? AND claim IS NULL ORDER BY idx DESC LIMIT ?", job, limit).reverse()
  }

  spec({ job, index }: Pick<ShardRow, "job" | "index">): ShardSpec {
    const row = this.#sql.prepare("SELECT spec FROM shard WHERE job = ? AND idx = ?").get(job, index)
    return JSON.parse((row as { spec: string }).spec)
  }

  /** What was leased, as both ends know it. */
  assignment(shard: ShardRow): Assignment {
    const { job, label, lease, epoch, nonce, grantedUntil } = shard
    const checkpoint = this.#checkpoint(shard, "began_from")
    const price = this.price(shard)
    if (!nonce || grantedUntil === null) throw new Error(`${label} was never leased`)
    return {
      job,
      shard: { index: this.#ordinal(shard), label },
      lease: { id: lease, epoch, nonce, notAfter: new Date(grantedUntil).toISOString() },
      spec: this.spec(shard),
      ...(checkpoint === null ? {} : { checkpoint }),
      ...(price === null ? {} : { price }),
    }
  }

  /** What the lease pays; null where it was granted before this was kept. */
  price({ job, index }: Pick<ShardRow, "job" | "index">): Price | null {
    const row = this.#sql.prepare("SELECT price FROM shard WHERE job = ? AND idx = ?").get(job, index)
    const { price } = row as { price: string | null }
    return price === null ? null : JSON.parse(price)
  }

  /** The newest checkpoint that a holder left, for the next one. */
  checkpoint(shard: Pick<ShardRow, "job" | "index">): Checkpoint | null {
    return this.#checkpoint(shard, "checkpoint")
  }

  settled(job: JobId): Map<string, NamedBlob[]> {
    const rows = this.#sql
      .prepare(
        "SELECT label, outputs FROM shard WHERE job = ? AND state = 'settled' AND claim IS NULL ORDER BY idx",
      )
      .all(job) as { label: string; outputs: string }[]
    return new Map(rows.map(({ label, outputs }) => [label, JSON.parse(outputs)]))
  }

  /** Every settled shard that told a loss, in the plan's order. */
  losses(job: JobId): { label: string; loss: number }[] {
    const rows = this.#sql
      .prepare(
        `SELECT label, loss FROM shard
         WHERE job = ? AND state = 'settled' AND loss IS NOT NULL AND claim IS NULL ORDER BY idx`,
      )
      .all(job)
    return rows as { label: string; loss: number }[]
  }

  /** How many settled shards of the plan were cut into segments. */
  settledCut(job: JobId): number {
    const row = this.#sql
      .prepare(
        `SELECT count(*) AS cut FROM shard
         WHERE job = ? AND claim IS NULL AND state = 'settled' AND json_extract(spec, '$.segments') IS NOT NULL`,
      )
      .get(job)
    return (row as { cut: number }).cut
  }

  count(job: JobId): { planned: number; settled: number } {
    const row = this.#sql
      .prepare(
        `SELECT count(*) AS planned, coalesce(sum(state = 'settled'), 0) AS settled
         FROM shard WHERE job = ? AND claim IS NULL`,
      )
      .get(job)
    return row as { planned: number; settled: number }
  }

  /** Adds a shard of the plan; one that is there already stays as it is. */
  add(shard: Pick<ShardRow, "job" | "index" | "label" | "readyAt" | "lease"> & { spec: ShardSpec }): void {
    this.#sql
      .prepare(
        `INSERT INTO shard (job, idx, label, spec, state, ready_at, lease) VALUES (?, ?, ?, ?, 'ready', ?, ?)
         ON CONFLICT DO NOTHING`,
      )
      .run(shard.job, shard.index, shard.label, JSON.stringify(shard.spec), shard.readyAt, shard.lease)
  }

  update({ job, index }: Pick<ShardRow, "job" | "index">, change: Change): void {
    const columns = Object.keys(change).map(field => `${COLUMN_OF[field as keyof Change]} = ?`)
    this.#sql
      .prepare(`UPDATE shard SET ${columns.join(", ")} WHERE job = ? AND idx = ?`)
      .run(...Object.values(change), job, index)
  }

  /** An audit is told apart from the shard that it runs again by nobody who holds its lease. */
  #ordinal({ index, claim }: Pick<ShardRow, "index" | "claim">): number {
    if (claim === null) return index
    const row = this.#sql.prepare("SELECT idx FROM commitment WHERE proof = ?").get(claim)
    return (row as { idx: number }).idx
  }

  #checkpoint({ job, index }: Pick<ShardRow, "job" | "index">, column: "checkpoint" | "began_from") {
    const row = this.#sql
      .prepare(`SELECT ${column} AS files FROM shard WHERE job = ? AND idx = ?`)
      .get(job, index) as { files: string | null } | undefined
    return row?.files ? (JSON.parse(row.files) as Checkpoint) : null
  }

  #rows(where: string, ...values: (string | number)[]): ShardRow[] {
    return this.#sql
      .prepare(`SELECT ${COLUMNS} FROM shard WHERE ${where}`)
      .all(...values) as unknown as ShardRow[]
  }
}

const COLUMN_OF = {
  state: "state",
  readyAt: "ready_at",
  attempt: "attempt",
  epoch: "epoch",
  nonce: "nonce",
  grantedUntil: "granted_until",
  notAfter: "not_after",
  agent: "agent",
  slot: "slot",
  step: "step",
  steps: "steps",
  loss: "loss",
  proof: "proof",
  outputs: "outputs",
  checkpoint: "checkpoint",
  beganFrom: "began_from",
  grantedAt: "granted_at",
  price: "price",
  cost: "cost",
  lost: "lost",
} as const

/** As JSON. */
interface Texts {
  outputs: string
  checkpoint: string | null
  beganFrom: string | null
  price: string
  lost: string
}

/** New values. */
type Change = Partial<Pick<ShardRow, Exclude<keyof typeof COLUMN_OF, keyof Texts>> & Texts>
