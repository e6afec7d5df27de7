import type { DatabaseSync } from "node:sqlite"
import type { JobId, JobSpec, JobState } from "../../protocol/job.ts"
import type { KeyId } from "../../protocol/keys.ts"

/** A submitted job as the database holds it. */
export interface JobRow {
  id: JobId
  owner: KeyId
  spec: JobSpec
  state: JobState
  reason: string | null
}

/** The jobs in the database. Reading is immediate; call what changes something inside a write of the database. */
export class Jobs {
  readonly #sql: DatabaseSync
  /** Of open jobs: a spec can be a megabyte and is needed at every change. */
  #specs = new Map<JobId, JobSpec>()

  constructor(sql: DatabaseSync) {
    this.#sql = sql
  }

  one(id: JobId): JobRow | undefined {
    return this.#rows("id = ?", id)[0]
  }

  bySubmission(owner: KeyId, submission: string): JobRow | undefined {
    return this.#rows("owner = ? AND submission = ?", owner, submission)[0]
  }

  /** Neither done nor failed. */
  open(): JobRow[] {
    return this.#rows("state IN ('waiting', 'running') ORDER BY submitted_at")
  }

  /** The latest first. */
  ownedBy(owner: KeyId, limit: number): JobRow[] {
    return this.#rows("owner = ? ORDER BY submitted_at DESC, rowid DESC LIMIT ?", owner, limit)
  }

  add({
    id,
    owner,
    spec,
    submission,
    at,
  }: Pick<JobRow, "id" | "owner" | "spec"> & { submission: string; at: number }) {
    this.#sql
      .prepare(
        "INSERT INTO job (id, owner, submission, spec, state, submitted_at) VALUES (?, ?, ?, ?, 'waiting', ?)",
      )
      .run(id, owner, submission, JSON.stringify(spec), at)
  }

  setState(id: JobId, state: JobState, reason: string | null): void {
    this.#sql.prepare("UPDATE job SET state = ?, reason = ? WHERE id = ?").run(state, reason, id)
    if (state === "done" || state === "failed") this.#specs.delete(id)
  }

  #rows(where: string, ...values: (string | number)[]): JobRow[] {
    const rows = this.#sql.prepare(`SELECT id, owner, state, reason FROM job WHERE ${where}`).all(...values)
    return (rows as unknown as Omit<JobRow, "spec">[]).map(row => ({ ...row, spec: this.#spec(row) }))
  }

  #spec({ id, state }: Pick<JobRow, "id" | "state">): JobSpec {
    const known = this.#specs.get(id)
    if (known) return known
    const row = this.#sql.prepare("SELECT spec FROM job WHERE id = ?").get(id) as { spec: string }
    const spec: JobSpec = JSON.parse(row.spec)
    if (state === "waiting" || state === "running") this.#specs.set(id, spec)
    return spec
  }
}
