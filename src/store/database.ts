import { existsSync, mkdirSync, rmSync } from "node:fs"
import { dirname } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { asDiskFull } from "./disk-full.ts"

interface Pending {
  run: () => unknown
  resolve: (value: unknown) => void
  reject: (error: unknown) => void
}

/** SQLITE_CORRUPT and SQLITE_NOTADB (sqlite.org/rescode.html). */
const DAMAGE_CODES = [11, 26]

/** Whether SQLite says with this error that the file's bytes are wrong: not that it may not be opened, is busy, or found no room. */
export function isDamage(error: unknown): boolean {
  const { errcode } = (error ?? {}) as { errcode?: number }
  // The low byte is the primary code.
  return errcode !== undefined && DAMAGE_CODES.includes(errcode & 0xff)
}

/**
 * A SQLite file whose writes are durable when their promise resolves. Writes that arrive together share one commit, because a
 * synced commit costs a disk flush however much it holds.
 */
export class Database {
  readonly sql: DatabaseSync
  readonly #folder: string
  #queue: Pending[] = []

  /**
   * @param migrations SQL scripts in order; `user_version` counts how many the file has seen.
   * @throws Fault `disk-full`, or SQLite's own error, which {@link isDamage} tells apart.
   */
  constructor(path: string, migrations: readonly string[]) {
    this.#folder = dirname(path)
    if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const isNew = path !== ":memory:" && !existsSync(path)
    this.sql = new DatabaseSync(path)
    try {
      this.sql.exec(
        "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON",
      )
      this.#migrate(migrations)
    } catch (error) {
      this.sql.close()
      // Half of a new file would look like what is left of an old one.
      if (isNew) for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix, { force: true })
      throw asDiskFull(error, this.#folder)
    }
  }

  /** Each script is there with its number or not at all, also where two processes open a new file at once. */
  #migrate(migrations: readonly string[]): void {
    for (const [index, script] of migrations.entries()) {
      if (index < this.#seen()) continue
      this.sql.exec("BEGIN IMMEDIATE")
      try {
        if (index >= this.#seen()) this.sql.exec(`${script}; PRAGMA user_version = ${index + 1}`)
        this.sql.exec("COMMIT")
      } catch (error) {
        if (this.sql.isTransaction) this.sql.exec("ROLLBACK")
        throw error
      }
    }
  }

  #seen(): number {
    return (this.sql.prepare("PRAGMA user_version").get() as { user_version: number }).user_version
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
