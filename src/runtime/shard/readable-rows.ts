import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs"
import { DatabaseSync } from "node:sqlite"
import { SHARD_COLUMNS, type ShardRow } from "./journal-row.ts"

/** Of a SQLite file and of what lies beside it. */
export const SUFFIXES = ["", "-wal", "-shm"]

export function copyIfThere(from: string, to: string): void {
  if (existsSync(from)) copyFileSync(from, to, constants.COPYFILE_FICLONE)
}

/**
 * All rows that look like a shard's. SQLite itself decodes every page that holds a table's rows, one after the other: a first page of our
 * own names that page as the whole table, so that neither the file's header nor the pages above need be whole
 * (sqlite.org/fileformat2.html, "B-tree Pages").
 */
export function readableRows(damaged: string, scratch: string): ShardRow[] {
  try {
    for (const suffix of SUFFIXES) rmSync(scratch + suffix, { force: true })
    copyFileSync(damaged, scratch)
    copyIfThere(`${damaged}-wal`, `${scratch}-wal`)
    const first = firstPage(scratch)
    mergeLog(scratch, first)
    const bytes = readFileSync(scratch)
    const rows: ShardRow[] = []
    for (let page = 2; page <= Math.ceil(bytes.length / PAGE_BYTES); page++)
      if (bytes[(page - 1) * PAGE_BYTES] === LEAF_PAGE) rows.push(...rowsOn(page, scratch, first))
    return rows
  } finally {
    for (const suffix of SUFFIXES) rmSync(scratch + suffix, { force: true })
  }
}

/** The flag of a page that holds a table's rows. */
const LEAF_PAGE = 0x0d
/** SQLite's default, which every journal has: the header that would tell is the likeliest to be damaged. */
const PAGE_BYTES = 4096
/** Stands in the schema of our first page until a page's number does. */
const ROOT_MARK = 0x01020304

interface FirstPage {
  /** The page with `page` as the table's only one. */
  naming(page: number): Buffer
}

function firstPage(scratch: string): FirstPage {
  const path = `${scratch}-schema`
  rmSync(path, { force: true })
  const sql = new DatabaseSync(path, { defensive: false })
  try {
    sql.exec(`PRAGMA page_size = ${PAGE_BYTES};
      CREATE TABLE shard (lease, epoch, step, at, paid, state, told DEFAULT 0, crc);
      PRAGMA writable_schema = ON; UPDATE sqlite_master SET rootpage = ${ROOT_MARK}`)
  } finally {
    sql.close()
  }
  const bytes = readFileSync(path).subarray(0, PAGE_BYTES)
  rmSync(path)
  const mark = Buffer.alloc(4)
  mark.writeUInt32BE(ROOT_MARK)
  const place = bytes.lastIndexOf(mark)
  // The size in the header counts only where these two agree: so the file's own size does.
  bytes.writeUInt32BE(1, 24)
  bytes.writeUInt32BE(0, 92)
  return {
    naming: page => {
      const copy = Buffer.from(bytes)
      copy.writeUInt32BE(page, place)
      return copy
    },
  }
}

/** What was committed and not yet written back is newer than the pages. A log that is damaged counts as far as its checksums hold. */
function mergeLog(scratch: string, first: FirstPage): void {
  if (!existsSync(`${scratch}-wal`)) return
  const page = first.naming(2)
  // The versions of a file with a write-ahead log.
  page[18] = page[19] = 2
  put(page, scratch)
  try {
    const sql = new DatabaseSync(scratch)
    try {
      sql.exec("PRAGMA wal_checkpoint(TRUNCATE)")
    } finally {
      sql.close()
    }
  } catch {
    // What the pages hold without it is what there is.
  }
  for (const suffix of ["-wal", "-shm"]) rmSync(scratch + suffix, { force: true })
}

function put(page: Buffer, path: string): void {
  const file = openSync(path, "r+")
  try {
    writeSync(file, page, 0, page.length, 0)
  } finally {
    closeSync(file)
  }
}

/** A row that cannot be decoded ends a scan: what lies behind it is read from the other end. */
function rowsOn(page: number, scratch: string, first: FirstPage): ShardRow[] {
  put(first.naming(page), scratch)
  const sql = new DatabaseSync(scratch, { readOnly: true })
  const rows = new Map<unknown, ShardRow>()
  try {
    for (const order of ["ASC", "DESC"]) {
      try {
        const all = sql.prepare(`SELECT rowid AS place, ${SHARD_COLUMNS} FROM shard ORDER BY rowid ${order}`)
        for (const { place, ...row } of all.iterate()) rows.set(place, row as unknown as ShardRow)
        break
      } catch {}
    }
  } finally {
    sql.close()
  }
  return [...rows.values()]
}
