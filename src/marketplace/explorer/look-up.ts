import type { DatabaseSync } from "node:sqlite"
import type { Digest } from "../../protocol/digest.ts"
import type { JobId } from "../../protocol/job.ts"
import type { KeyId } from "../../protocol/keys.ts"
import type { Machine } from "../../protocol/message.ts"

/** Which rows of a list, the newest first. */
export interface Window {
  from: number
  size: number
}

export interface AgentRow {
  keyId: KeyId
  name: string
  machine: Machine
  /** Milliseconds since 1970. */
  registeredAt: number
  settled: number
}

export interface JobLine {
  id: JobId
  owner: KeyId
  name: string
  kind: string
  state: string
  submittedAt: number
}

/** An audit that is over. */
export interface AuditLine {
  /** The audited proof, and its place in the ledger. */
  proof: Digest
  entry: number
  job: JobId
  index: number
  /** Null in a job whose audits are canaries: which shard is whose would tell a host which of its shards was one. */
  label: string | null
  agent: KeyId
  state: "settled" | "failed" | "undecided"
}

const LABEL =
  "CASE WHEN (SELECT json_extract(spec, '$.audit.kind') FROM job WHERE id = shard.job) = 'canary' THEN NULL ELSE label END AS label"
const AUDIT = `SELECT commitment.proof, entry, commitment.job, commitment.idx AS "index", ${LABEL}, commitment.agent, commitment.state
  FROM commitment JOIN shard ON shard.job = commitment.job AND shard.idx = commitment.idx
  WHERE commitment.verdict IS NOT NULL`
const VERDICT_SIGNATURE = "json_extract(commitment.verdict, '$.dsseEnvelope.signatures[0].sig')"

const AGENT = `SELECT key_id AS keyId, name, machine, registered_at AS registeredAt,
  (SELECT count(*) FROM shard WHERE agent = key_id AND shard.state = 'settled') AS settled FROM identity`
const JOB = `SELECT id, owner, state, submitted_at AS submittedAt,
  json_extract(spec, '$.name') AS name, json_extract(spec, '$.kind') AS kind FROM job`

/** What the pages read of the database beside the book's own rows: at most a window's worth at once, and never anything written. */
export class LookUp {
  readonly #sql: DatabaseSync

  constructor(sql: DatabaseSync) {
    this.#sql = sql
  }

  count(table: "identity" | "job"): number {
    return (this.#sql.prepare(`SELECT count(*) AS count FROM ${table}`).get() as { count: number }).count
  }

  agents({ from, size }: Window): AgentRow[] {
    return this.#agents("ORDER BY registered_at DESC, key_id LIMIT ? OFFSET ?", size, from)
  }

  agent(keyId: string): AgentRow | undefined {
    return this.#agents("WHERE key_id = ?", keyId)[0]
  }

  jobs({ from, size }: Window): JobLine[] {
    return this.#jobs("ORDER BY submitted_at DESC, id LIMIT ? OFFSET ?", size, from)
  }

  jobsOf(owner: KeyId, size: number): JobLine[] {
    return this.#jobs("WHERE owner = ? ORDER BY submitted_at DESC, id LIMIT ?", owner, size)
  }

  job(id: string): JobLine | undefined {
    return this.#jobs("WHERE id = ?", id)[0]
  }

  /** Entries that moved credits of these accounts or record this agent's proofs, the newest first. */
  entriesOf(keyId: KeyId, accounts: readonly string[], size: number): number[] {
    const rows = this.#sql
      .prepare(
        `SELECT * FROM (SELECT DISTINCT posting AS idx FROM leg WHERE account IN (SELECT value FROM json_each(?1))
                        ORDER BY posting DESC LIMIT ?3)
         UNION
         SELECT * FROM (SELECT entry AS idx FROM proof WHERE agent = ?2 AND entry IS NOT NULL ORDER BY entry DESC LIMIT ?3)
         ORDER BY idx DESC LIMIT ?3`,
      )
      .all(JSON.stringify(accounts), keyId, size) as { idx: number }[]
    return rows.map(({ idx }) => idx)
  }

  /** Where the ledger has the proofs of settled shards from `first` on, by the shard's index. */
  proofEntries(job: JobId, first: number): Map<number, number> {
    const rows = this.#sql
      .prepare(
        `SELECT idx, entry FROM shard JOIN proof ON digest = shard.proof
         WHERE job = ? AND idx >= ? AND entry IS NOT NULL`,
      )
      .all(job, first) as { idx: number; entry: number }[]
    return new Map(rows.map(({ idx, entry }) => [idx, entry]))
  }

  /** The shard whose proof this is, and where the ledger has the proof; its label as in {@link AuditLine}. */
  proved(digest: string): { job: JobId; label: string | null; entry: number | null } | undefined {
    return this.#sql
      .prepare(
        `SELECT job, ${LABEL}, entry FROM proof JOIN shard ON shard.lease = proof.lease WHERE digest = ?`,
      )
      .get(digest) as { job: JobId; label: string | null; entry: number | null } | undefined
  }

  /** The audit of this proof, once it is over. */
  audit(proof: string): AuditLine | undefined {
    return this.#audits("AND commitment.proof = ?", proof)[0]
  }

  /** The audit whose verdict has this signature; auditors' answers have the verdict on what they answered. */
  auditSigned(signature: string): AuditLine | undefined {
    return this.#audits(`AND ${VERDICT_SIGNATURE} = ? ORDER BY commitment.claim IS NOT NULL`, signature)[0]
  }

  /** Audits of a job's shards from `first` on, the earliest first. */
  audits(job: JobId, first: number): AuditLine[] {
    return this.#audits("AND commitment.job = ? AND commitment.idx >= ? ORDER BY entry", job, first)
  }

  /** The latest audits that found this agent to be wrong, as the one who was audited or as an auditor. */
  failures(agent: KeyId, size: number): AuditLine[] {
    return this.#audits(
      "AND commitment.agent = ? AND commitment.state = 'failed' ORDER BY entry DESC LIMIT ?",
      agent,
      size,
    )
  }

  /** How a job's audits and canaries that are over came out. */
  auditCounts(job: JobId): Record<AuditLine["state"], number> {
    const rows = this.#sql
      .prepare(
        `SELECT state, count(*) AS count FROM commitment WHERE job = ?1 AND verdict IS NOT NULL
         AND (claim IS NULL OR idx IN (SELECT idx FROM shard WHERE job = ?1 AND instead IS NOT NULL)) GROUP BY state`,
      )
      .all(job) as { state: AuditLine["state"]; count: number }[]
    const counted = Object.fromEntries(rows.map(({ state, count }) => [state, count]))
    return { settled: 0, failed: 0, undecided: 0, ...counted }
  }

  names(keyIds: readonly KeyId[]): Map<KeyId, string> {
    const one = this.#sql.prepare("SELECT name FROM identity WHERE key_id = ?")
    const found = [...new Set(keyIds)].map(keyId => [keyId, one.get(keyId)] as const)
    return new Map(found.flatMap(([keyId, row]) => (row ? [[keyId, (row as { name: string }).name]] : [])))
  }

  #audits(rest: string, ...values: (string | number)[]): AuditLine[] {
    return this.#sql.prepare(`${AUDIT} ${rest}`).all(...values) as unknown as AuditLine[]
  }

  #agents(rest: string, ...values: (string | number)[]): AgentRow[] {
    const rows = this.#sql.prepare(`${AGENT} ${rest}`).all(...values)
    return (rows as unknown as (Omit<AgentRow, "machine"> & { machine: string })[]).map(row => ({
      ...row,
      machine: JSON.parse(row.machine),
    }))
  }

  #jobs(rest: string, ...values: (string | number)[]): JobLine[] {
    return this.#sql.prepare(`${JOB} ${rest}`).all(...values) as unknown as JobLine[]
  }
}
