import type { DatabaseSync } from "node:sqlite"
import type { Digest, NamedBlob } from "../../../protocol/digest.ts"
import type { JobId } from "../../../protocol/job.ts"
import type { KeyId } from "../../../protocol/keys.ts"
import type { LeaseId } from "../../../protocol/lease.ts"
import type { Charge } from "../../../protocol/price.ts"
import type { Bundle } from "../../../protocol/statement.ts"
import type { Seed } from "../../audit/draw.ts"
import { type AuditRecord, NO_RECORD } from "../../audit/trust.ts"
import type { Part } from "../../plans/parts.ts"

/** A proof that is in the ledger and is not paid before audits are over: a claim, or an auditor's answer to one. */
export interface CommitmentRow {
  proof: Digest
  lease: LeaseId
  epoch: number
  job: JobId
  index: number
  /** The claim that this is an answer to; null for a claim. */
  claim: Digest | null
  agent: KeyId
  /** What it was computed on: equal bytes can be asked for on the same alone. */
  kind: string
  /** Its place in the ledger. */
  entry: number
  /** Digests of what was run, and of the result manifest. */
  spec: Digest
  result: Digest
  state: "open" | "settled" | "failed" | "undecided"
  /** The ledger's first checkpoint after the proof was logged, which draws; null until there is one. */
  checkpoint: string | null
  /** Since when it is known that it is audited, in milliseconds since 1970; null as long as it is not. */
  auditedAt: number | null
  /** How likely that was. */
  probability: number | null
}

/** What was handed in. */
export interface HandedIn {
  bundle: Bundle
  outputs: NamedBlob[]
  loss: number | null
  charge: Charge
}

const COLUMNS = `proof, lease, epoch, job, idx AS "index", claim, agent, kind, entry, spec, result, state, checkpoint,
  audited_at AS auditedAt, probability`

type New = Omit<CommitmentRow, "state" | "checkpoint" | "auditedAt" | "probability"> & HandedIn

/** Proofs that wait for audits, and what audits have found of whom. Call what changes something inside a write of the database. */
export class Commitments {
  readonly #sql: DatabaseSync

  constructor(sql: DatabaseSync) {
    this.#sql = sql
  }

  add({ bundle, outputs, loss, charge, ...row }: New): void {
    const { proof, lease, epoch, job, index, claim, agent, kind, entry, spec, result } = row
    this.#sql
      .prepare(
        `INSERT INTO commitment (proof, lease, epoch, job, idx, claim, agent, kind, entry, spec, result, bundle, outputs, loss, charge)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        ...[proof, lease, epoch, job, index, claim, agent, kind, entry, spec, result],
        ...[JSON.stringify(bundle), JSON.stringify(outputs), loss, JSON.stringify(charge)],
      )
  }

  one(proof: Digest): CommitmentRow | undefined {
    return this.#rows("proof = ?", proof)[0]
  }

  byLease(lease: LeaseId, epoch: number): CommitmentRow | undefined {
    return this.#rows("lease = ? AND epoch = ?", lease, epoch)[0]
  }

  /** In the ledger's order. */
  openClaims(): CommitmentRow[] {
    return this.#rows("state = 'open' AND claim IS NULL ORDER BY entry")
  }

  /** Claims of this job that are not decided. */
  openOf(job: JobId): CommitmentRow[] {
    return this.#rows("state = 'open' AND claim IS NULL AND job = ?", job)
  }

  /** Answers to claims that were decided before: those to canaries. */
  openLate(): CommitmentRow[] {
    return this.#rows(
      "state = 'open' AND claim IS NOT NULL AND (SELECT state FROM commitment AS c WHERE c.proof = commitment.claim) <> 'open'",
    )
  }

  /** Claims of a job that had passed an audit by then, and that this agent has had no part in, in the ledger's order. */
  confirmed(job: JobId, agent: KeyId, by: number): CommitmentRow[] {
    return this.#rows(
      `state = 'settled' AND claim IS NULL AND parts IS NOT NULL AND job = ?1 AND agent <> ?2 AND decided_at < ?3
       AND NOT EXISTS (SELECT 1 FROM shard WHERE shard.claim = commitment.proof AND auditor = ?2) ORDER BY entry`,
      ...[job, agent, by],
    )
  }

  /** Whether an agent has handed in anything that is not decided. */
  hasOpen(agent: KeyId): boolean {
    return this.#rows("state = 'open' AND agent = ?", agent).length > 0
  }

  /** Whether a proof that the same agent handed in before this one is still being audited. */
  waitsFor({ agent, entry }: CommitmentRow): boolean {
    const earlier = "state = 'open' AND claim IS NULL AND agent = ? AND entry < ? AND audited_at IS NOT NULL"
    return this.#rows(earlier, agent, entry).length > 0
  }

  /** Whether another shard, with another command or other inputs, has had just this result. */
  isRepeated({ result, spec }: CommitmentRow): boolean {
    return this.#rows("result = ? AND spec <> ? AND claim IS NULL LIMIT 1", result, spec).length > 0
  }

  handedIn({ proof }: CommitmentRow): HandedIn {
    const row = this.#sql
      .prepare("SELECT bundle, outputs, loss, charge FROM commitment WHERE proof = ?")
      .get(proof) as { bundle: string; outputs: string; loss: number | null; charge: string }
    const { bundle, outputs, loss, charge } = row
    return { bundle: JSON.parse(bundle), outputs: JSON.parse(outputs), loss, charge: JSON.parse(charge) }
  }

  /** What of it is run again; null until its states are shown. */
  parts({ proof }: CommitmentRow): Part[] | null {
    const row = this.#sql.prepare("SELECT parts FROM commitment WHERE proof = ?").get(proof)
    const { parts } = row as { parts: string | null }
    return parts === null ? null : JSON.parse(parts)
  }

  /** The marketplace's signed word on its audit; null where there is none yet. */
  verdict(proof: Digest): Bundle | null {
    const row = this.#sql.prepare("SELECT verdict FROM commitment WHERE proof = ?").get(proof)
    const { verdict } = (row ?? { verdict: null }) as { verdict: string | null }
    return verdict === null ? null : JSON.parse(verdict)
  }

  /** Proofs that no checkpoint has covered yet, and that one of this size does. */
  undrawn(size: number): CommitmentRow[] {
    return this.#rows("checkpoint IS NULL AND state = 'open' AND entry < ?", size)
  }

  /** @param seed what everything that is drawn for the proof comes from. */
  draw({ proof }: CommitmentRow, checkpoint: string, seed: Seed): void {
    this.#sql
      .prepare("UPDATE commitment SET checkpoint = ?, seed = ? WHERE proof = ?")
      .run(checkpoint, seed.toString("hex"), proof)
  }

  /** @throws Error for a proof that is not drawn yet. */
  seed({ proof }: CommitmentRow): Seed {
    const row = this.#sql.prepare("SELECT seed FROM commitment WHERE proof = ?").get(proof)
    const { seed } = row as { seed: string | null }
    if (seed === null) throw new Error(`${proof} is not drawn yet`)
    return Buffer.from(seed, "hex")
  }

  audit({ proof }: CommitmentRow, probability: number, at: number): void {
    this.#sql
      .prepare("UPDATE commitment SET audited_at = ?, probability = ? WHERE proof = ?")
      .run(at, probability, proof)
  }

  ask({ proof }: CommitmentRow, parts: readonly Part[]): void {
    this.#sql.prepare("UPDATE commitment SET parts = ? WHERE proof = ?").run(JSON.stringify(parts), proof)
  }

  conclude(
    { proof }: CommitmentRow,
    { state, verdict, at }: { state: CommitmentRow["state"]; verdict: Bundle | null; at: number },
  ): void {
    this.#sql
      .prepare("UPDATE commitment SET state = ?, verdict = ?, decided_at = ? WHERE proof = ?")
      .run(state, verdict && JSON.stringify(verdict), at, proof)
  }

  record(agent: KeyId): AuditRecord {
    const row = this.#sql.prepare("SELECT passed, failed, run FROM audit_record WHERE agent = ?").get(agent)
    return (row as AuditRecord | undefined) ?? NO_RECORD
  }

  setRecord(agent: KeyId, { passed, failed, run }: AuditRecord): void {
    this.#sql
      .prepare("INSERT OR REPLACE INTO audit_record (agent, passed, failed, run) VALUES (?, ?, ?, ?)")
      .run(agent, passed, failed, run)
  }

  #rows(where: string, ...values: (string | number)[]): CommitmentRow[] {
    return this.#sql
      .prepare(`SELECT ${COLUMNS} FROM commitment WHERE ${where}`)
      .all(...values) as unknown as CommitmentRow[]
  }
}
