import type { DatabaseSync } from "node:sqlite"
import type { JobId } from "../../../protocol/job.ts"
import type { KeyId } from "../../../protocol/keys.ts"
import type { Bundle } from "../../../protocol/statement.ts"

/** What draws the canaries of jobs, and who has been given one. Call what changes something inside a write of the database. */
export class Canaries {
  readonly #sql: DatabaseSync

  constructor(sql: DatabaseSync) {
    this.#sql = sql
  }

  /** Whether an agent has been given a canary in the place of this lease and epoch. */
  isGiven(agent: KeyId, instead: string): boolean {
    const row = this.#sql.prepare("SELECT 1 FROM shard WHERE auditor = ? AND instead = ?").get(agent, instead)
    return row !== undefined
  }

  /** The secret that draws a job's canaries, in hex; undefined where it has none. */
  secret(job: JobId): string | undefined {
    const row = this.#sql.prepare("SELECT secret FROM canary WHERE job = ?").get(job)
    return (row as { secret: string } | undefined)?.secret
  }

  add(job: JobId, secret: string, commitment: Bundle): void {
    this.#sql
      .prepare("INSERT INTO canary (job, secret, commitment) VALUES (?, ?, ?)")
      .run(job, secret, JSON.stringify(commitment))
  }

  /** What the marketplace has signed of a job's secret: its digest, and once the job is over the secret; nothing where it has none. */
  signed(job: JobId): Bundle[] {
    const row = this.#sql.prepare("SELECT commitment, told FROM canary WHERE job = ?").get(job)
    const { commitment, told } = (row ?? {}) as { commitment?: string; told?: string | null }
    return [commitment, told].flatMap(text => (text ? [JSON.parse(text)] : []))
  }

  /** Jobs that are over, and whose secret nobody has been told. */
  untold(): { job: JobId; secret: string }[] {
    const rows = this.#sql
      .prepare(
        "SELECT job, secret FROM canary JOIN job ON id = job WHERE told IS NULL AND state IN ('done', 'failed')",
      )
      .all()
    return rows as { job: JobId; secret: string }[]
  }

  tell(job: JobId, told: Bundle): void {
    this.#sql.prepare("UPDATE canary SET told = ? WHERE job = ?").run(JSON.stringify(told), job)
  }
}
