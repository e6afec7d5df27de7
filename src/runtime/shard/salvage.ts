import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs"
import { dirname } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { Id } from "../../protocol/lease.ts"
import { asDiskFull } from "../../store/disk-full.ts"
import {
  MIGRATIONS,
  mendedRow,
  SHARD_COLUMNS,
  type ShardRow,
  stateOf,
  type UnreadableRow,
} from "./journal-row.ts"
import { copyIfThere, readableRows, SUFFIXES } from "./readable-rows.ts"

export interface Salvage {
  /** Where the damaged file is now, with its `-wal` and `-shm`. */
  file: string
  /** Shards that could be read, and are in the new journal. */
  salvaged: number
  /** Rows that were found and hold no shard: they are in the damaged file alone. */
  rows: UnreadableRow[]
}

/**
 * Sets a damaged journal aside as `<path>.damaged-<time>` and makes one that holds every shard that can still be read; {@link finishSalvage}
 * puts that in its place. The damaged file stays where it is until then, so that a crash on the way begins anew.
 * @throws Fault `disk-full`.
 */
export function salvage(path: string, at: Date): Salvage {
  const file = `${path}.damaged-${at.toISOString().replaceAll(":", "-")}`
  try {
    for (const suffix of SUFFIXES) copyIfThere(path + suffix, file + suffix)
    const found = readableRows(file, `${path}.scratch`)
    const rows = newest(found)
    writeAnew(rows, `${path}.draft`)
    syncPath(`${path}.draft`)
    renameSync(`${path}.draft`, salvagedName(path))
    return { file, salvaged: rows.length, rows: found.flatMap(unreadable) }
  } catch (error) {
    // The damaged file is still in its own place, and the next start tries again.
    for (const suffix of SUFFIXES) rmSync(file + suffix, { force: true })
    throw asDiskFull(error, dirname(path))
  }
}

/** Does the rest of a salvage that a crash cut off: the old write-ahead log must not be applied to the new file. */
export function finishSalvage(path: string): void {
  if (!existsSync(salvagedName(path))) return
  for (const suffix of ["-wal", "-shm"]) rmSync(path + suffix, { force: true })
  renameSync(salvagedName(path), path)
  syncPath(dirname(path))
}

function salvagedName(path: string): string {
  return `${path}.salvaged`
}

function syncPath(path: string): void {
  const file = openSync(path, "r")
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Pages that SQLite gave up can hold older states of a shard: the latest counts. */
function newest(rows: ShardRow[]): ShardRow[] {
  const kept = new Map<string, ShardRow>()
  for (const row of rows.map(mendedRow).filter(one => one !== null)) {
    const name = `${row.lease}/${row.epoch}`
    if ((kept.get(name)?.at ?? "") <= row.at) kept.set(name, row)
  }
  return [...kept.values()].sort((a, b) => (a.at < b.at ? -1 : 1))
}

/** Other tables have rows, too: a shard's names a lease. */
function unreadable(row: ShardRow): UnreadableRow[] {
  const { lease, epoch } = row
  const read = stateOf(row)
  return mendedRow(row) === null && "why" in read && Id.safeParse(lease).success && Number.isInteger(epoch)
    ? [{ lease, epoch, why: read.why }]
    : []
}

function writeAnew(rows: ShardRow[], path: string): void {
  rmSync(path, { force: true })
  const sql = new DatabaseSync(path)
  try {
    sql.exec(`${MIGRATIONS.join(";")}; PRAGMA user_version = ${MIGRATIONS.length}; BEGIN`)
    const insert = sql.prepare(`INSERT INTO shard (${SHARD_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`)
    for (const { lease, epoch, step, at, paid, state, told, crc } of rows)
      insert.run(lease, epoch, step, at, paid, state, told, crc)
    sql.exec("COMMIT")
  } finally {
    sql.close()
  }
}
