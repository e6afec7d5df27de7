import { mkdirSync } from "node:fs"
import { dirname } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { asDiskFull } from "./disk-full.ts"

interface Pending {
  run: () => unknown
  resolve: (value: unknown) => void
  reject: (error: unknown) => void
}

/**
 * A SQLite file whose writes are durable when their promise resolves. Writes that arrive together share one commit, because a
 * synced commit costs a disk flush however much it holds.
 */
export class Database {
  readonly sql: DatabaseSync
  readonly #folder: string
  #queue: Pending[] = []

  /** @param migrations SQL scripts in order; `user_version` counts how many the file has seen. */
  constructor(path: string, migrations: readonly string[]) {
    this.#folder = dirname(path)
    if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    this.sql = new DatabaseSync(path)
    this.sql.exec(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000",
    )
    const { user_version: seen } = this.sql.prepare("PRAGMA user_version").get() as { user_version: number }
    for (const [index, script] of migrations.entries()) {
      if (index >= seen)
        this.sql.exec(`BEGIN IMMEDIATE; ${script}; PRAGMA user_version = ${index + 1}; COMMIT`)
    }
  }

  /**
   * Runs `run` inside a transaction of its own meaning: if it throws, only its own writes are undone.
   * @throws what `run` throws; Fault `disk-full`.
   */
  write<T>(run: () => T): Promise<T> {
    if (this.#queue.length === 0) setImmediate(() => this.#commit())
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ run, resolve: resolve as (value: unknown) => void, reject })
    })
  }

  #commit(): void {
    const group = this.#queue.splice(0)
    if (group.length === 0) return
    const answers: (() => void)[] = []
    try {
      this.sql.exec("BEGIN IMMEDIATE")
      for (const pending of group) answers.push(this.#attempt(pending))
      this.sql.exec("COMMIT")
    } catch (error) {
      if (this.sql.isTransaction) this.sql.exec("ROLLBACK")
      for (const { reject } of group) reject(asDiskFull(error, this.#folder))
      return
    }
    for (const answer of answers) answer()
  }

  #attempt({ run, resolve, reject }: Pending): () => void {
    this.sql.exec("SAVEPOINT write")
    try {
      const value = run()
      this.sql.exec("RELEASE write")
      return () => resolve(value)
    } catch (error) {
      // A full disk rolls the whole transaction back by itself: then nobody's writes are there.
      if (!this.sql.isTransaction) throw error
      this.sql.exec("ROLLBACK TO write; RELEASE write")
      return () => reject(asDiskFull(error, this.#folder))
    }
  }

  close(): void {
    this.#commit()
    this.sql.close()
  }
}
