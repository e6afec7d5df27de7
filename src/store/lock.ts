import { mkdirSync, truncateSync } from "node:fs"
import { dirname, join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { Fault } from "../protocol/fault.ts"
import { isDamage } from "./database.ts"
import { asDiskFull } from "./disk-full.ts"

/** SQLITE_BUSY (sqlite.org/rescode.html). */
const SQLITE_BUSY = 5

/** What one process holds alone until it lets it go or ends. */
export interface Lock {
  release(): void
}

/**
 * Takes a folder for this process alone, by a lock on a file in it.
 * @throws Fault `already-serving` when another process holds it, `disk-full`.
 */
export function lockFolder(folder: string): Lock {
  return lockFile(join(folder, "lock.sqlite"), folder)
}

/**
 * Takes what a file stands for, by SQLite's lock on that file: the kernel lets it go when the process dies, however it dies.
 * @param what is held, for people.
 * @throws Fault `already-serving` when another process holds it, `disk-full`.
 */
export function lockFile(path: string, what: string): Lock {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  try {
    return hold(path)
  } catch (error) {
    if (isDamage(error)) return holdAnew(path, what)
    throw faultOf(error, path, what)
  }
}

/** A power cut can fill a file with anything. The lock is on the file and not on its bytes, so that emptying one that is held frees nothing. */
function holdAnew(path: string, what: string): Lock {
  truncateSync(path)
  try {
    return hold(path)
  } catch (error) {
    throw faultOf(error, path, what)
  }
}

function hold(path: string): Lock {
  const file = new DatabaseSync(path)
  try {
    file.exec("BEGIN EXCLUSIVE")
  } catch (error) {
    file.close()
    throw error
  }
  return { release: () => file.close() }
}

function faultOf(cause: unknown, path: string, what: string): unknown {
  if ((cause as { errcode?: number }).errcode !== SQLITE_BUSY) return asDiskFull(cause, dirname(path))
  return new Fault("already-serving", `Another process works on ${what} already.`, {
    hint: "Stop it first, or use another ZG_HOME.",
    facts: { what },
    cause,
  })
}
