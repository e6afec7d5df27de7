import { closeSync, existsSync, openSync, readSync, statSync } from "node:fs"
import { DatabaseSync } from "node:sqlite"
import { isDeepStrictEqual } from "node:util"
import { MIGRATIONS } from "./journal-row.ts"

/** A new file is never left empty: this one was a journal once, and SQLite would take it for a new one. */
export function isEmptied(path: string): boolean {
  return existsSync(path) && statSync(path).size === 0
}

/**
 * Whether a journal's file is whole, or not there yet. It is looked at without a right to write: closing it would otherwise work a log
 * into a file that is to be set aside as it was found. Throws SQLite's own error where it cannot even be read.
 */
export function isSound(path: string): boolean {
  if (!existsSync(path)) return true
  if (isEmptied(path) || !isWritableVersion(path)) return false
  const sql = new DatabaseSync(path, { readOnly: true })
  try {
    // A quick check would pass over an index that does not fit its rows, by which a row is then not found.
    const [check] = sql.prepare("PRAGMA integrity_check(1)").all() as { integrity_check: string }[]
    if (check?.integrity_check !== "ok") return false
    const { user_version: seen } = sql.prepare("PRAGMA user_version").get() as { user_version: number }
    // A later version of this program may have added to it.
    if (seen > MIGRATIONS.length) return true
    return isDeepStrictEqual(schemaOf(sql), schemaAt(seen))
  } finally {
    sql.close()
  }
}

/** A write version that SQLite does not know makes a file readable and nothing more (sqlite.org/fileformat2.html, offset 18). */
function isWritableVersion(path: string): boolean {
  const file = openSync(path, "r")
  try {
    const version = Buffer.alloc(1)
    return readSync(file, version, 0, 1, 18) === 1 && [1, 2].includes(version[0] ?? 0)
  } finally {
    closeSync(file)
  }
}

function schemaOf(sql: DatabaseSync): unknown[] {
  const columns = (kind: string) =>
    `SELECT m.tbl_name, m.name, p.cid, p.name AS member FROM sqlite_master m, pragma_${kind}_info(m.name) p WHERE m.type = '${kind}'`
  return sql.prepare(`${columns("table")} UNION ALL ${columns("index")} ORDER BY 1, 2, 3`).all()
}

/** What the file holds after so many migrations; an integrity check passes over a changed name. */
function schemaAt(seen: number): unknown[] {
  const sql = new DatabaseSync(":memory:")
  try {
    sql.exec(MIGRATIONS.slice(0, seen).join(";"))
    return schemaOf(sql)
  } finally {
    sql.close()
  }
}

/** A file of something else, or with a schema that its own number denies: SQLITE_ERROR, "no such table" or "table exists". */
export function hasOtherSchema(error: unknown): boolean {
  return (error as { errcode?: number }).errcode === 1
}
