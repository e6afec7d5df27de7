import type { DatabaseSync } from "node:sqlite"
import type { Digest } from "../../../protocol/digest.ts"
import type { JobId } from "../../../protocol/job.ts"
import type { KeyId } from "../../../protocol/keys.ts"
import type { Price } from "../../../protocol/price.ts"
import type { ShardSpec } from "../../../protocol/shard-spec.ts"
import type { Candidate } from "../../audit/draw.ts"
import { COLUMNS, type ShardRow } from "../shard-row.ts"

/** A shard that audits a proof, and whom it is for. */
export interface AuditRow extends ShardRow {
  claim: Digest
  /** Which part of the proof. */
  part: number
  /** How many were drawn for the part before. */
  turn: number
  auditor: KeyId
  /** Among whom it was drawn. */
  candidates: Candidate[]
  /** The code with which its auditor gave it back; null while it has not. */
  lost: string | null
  /** The lease, and its epoch, in whose place it is given as a canary; null for any other audit. */
  instead: string | null
}

/** An audit that nobody has taken yet. */
export type Asked = Pick<
  AuditRow,
  "job" | "label" | "readyAt" | "lease" | "claim" | "part" | "turn" | "auditor" | "instead"
> & {
  spec: ShardSpec
  price: Price
  candidates: readonly Candidate[]
}

/** Indexes from here on are those of audits: no plan is as long. */
const AUDITS_FROM = 1_000_000

/** The shards that audit. Reading is immediate; call what changes something inside a write of the database. */
export class Audits {
  readonly #sql: DatabaseSync

  constructor(sql: DatabaseSync) {
    this.#sql = sql
  }

  /** All that were made to audit this proof, by part and turn. */
  auditing(claim: Digest): AuditRow[] {
    const rows = this.#sql
      .prepare(
        `SELECT ${COLUMNS}, part, turn, auditor, candidates, lost, instead FROM shard WHERE claim = ? ORDER BY part, turn`,
      )
      .all(claim) as unknown as (AuditRow & { candidates: string })[]
    return rows.map(row => ({ ...row, candidates: JSON.parse(row.candidates) }))
  }

  /** What the audits of a job that are not over may still cost: what they pay, and how long they may run. */
  open(job: JobId): { price: Price; timeMs: number }[] {
    const rows = this.#sql
      .prepare(
        `SELECT price, json_extract(spec, '$.limits.timeMs') AS timeMs FROM shard
         WHERE job = ? AND claim IS NOT NULL AND state IN ('ready', 'leased', 'committed')`,
      )
      .all(job) as { price: string; timeMs: number }[]
    return rows.map(({ price, timeMs }) => ({ price: JSON.parse(price), timeMs }))
  }

  /** Nobody needs the canaries any more that nobody has taken. */
  closeCanaries(job: JobId): void {
    this.#sql
      .prepare(
        "UPDATE shard SET state = 'failed', lost = 'shard-cancelled' WHERE job = ? AND state = 'ready' AND instead IS NOT NULL",
      )
      .run(job)
  }

  /** Whom an audit is for; null for a shard of the plan. */
  auditorOf({ job, index }: Pick<ShardRow, "job" | "index">): KeyId | null {
    const row = this.#sql.prepare("SELECT auditor FROM shard WHERE job = ? AND idx = ?").get(job, index)
    return (row as { auditor: KeyId | null }).auditor
  }

  add(audit: Asked): void {
    const { job, label, spec, price, readyAt, lease, claim, part, turn, auditor, candidates, instead } = audit
    this.#sql
      .prepare(
        `INSERT INTO shard (job, idx, label, spec, state, ready_at, lease, price, claim, part, turn, auditor, candidates, instead)
         VALUES (?1, (SELECT max(${AUDITS_FROM}, max(idx) + 1) FROM shard WHERE job = ?1),
           ?, ?, 'ready', ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        ...[job, label, JSON.stringify(spec), readyAt, lease, JSON.stringify(price)],
        ...[claim, part, turn, auditor, JSON.stringify(candidates), instead],
      )
  }
}
