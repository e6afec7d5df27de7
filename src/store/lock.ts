import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { Fault } from "../protocol/fault.ts"

/** SQLITE_BUSY (sqlite.org/rescode.html). */
const SQLITE_BUSY = 5

/**
 * Takes a folder for this process alone, by SQLite's lock on a file in it: the kernel lets it go when the process dies, however it dies.
 * @throws Fault `already-serving` when another process holds it.
 */
export function lockFolder(folder: string): { release(): void } {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const file = new DatabaseSync(join(folder, "lock.sqlite"))
  try {
    file.exec("BEGIN EXCLUSIVE")
  } catch (cause) {
    file.close()
    if ((cause as { errcode?: number }).errcode !== SQLITE_BUSY) throw cause
    throw new Fault("already-serving", `Another process works on ${folder} already.`, {
      hint: "Stop it first, or use another ZG_HOME.",
      facts: { folder },
      cause,
    })
  }
  return { release: () => file.close() }
}
