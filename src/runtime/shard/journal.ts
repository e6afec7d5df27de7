import { Fault } from "../../protocol/fault.ts"
import { Database, isDamage } from "../../store/database.ts"
import { type Lock, lockFile } from "../../store/lock.ts"
import {
  MIGRATIONS,
  rowOf,
  SHARD_COLUMNS,
  type ShardRow,
  stateOf,
  type UnreadableRow,
} from "./journal-row.ts"
import { finishSalvage, salvage } from "./salvage.ts"
import { hasOtherSchema, isEmptied, isSound } from "./sound-file.ts"
import { type Abandoned, isOpen, type OpenState, type ShardState } from "./state.ts"

/** One line of a host's history. */
export interface HistoryEntry {
  /** When it came to this state, RFC 3339. */
  at: string
  state: ShardState
}

export interface Totals {
  settled: number
  abandoned: number
  /** Micro-credits. */
  earned: number
}

/** What of the journal was damaged, and where it is now: for the owner to be told. */
export interface Damage {
  /** The damaged file, when the whole file was set aside; null when only rows were, into the journal's table `aside`. */
  file: string | null
  /** How many shards could be read from the damaged file. */
  salvaged: number
  /** The rows that hold no shard this program knows, as far as they can be named. */
  rows: UnreadableRow[]
}

/** Which shard is where, durable before the next effect begins; ended ones stay as the host's history. */
export class Journal {
  readonly #database: Database
  readonly #lock: Lock | null

  constructor(database: Database, lock: Lock | null = null) {
    this.#database = database
    this.#lock = lock
  }

  /** Resolves when the state is on disk. Throws Fault `disk-full`; then it holds what it held before. */
  async record(state: ShardState): Promise<void> {
    const insert = this.#database.sql.prepare(
      `INSERT INTO shard (${SHARD_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET step = excluded.step, ` +
        "at = excluded.at, paid = excluded.paid, state = excluded.state, told = excluded.told, crc = excluded.crc",
    )
    const { lease, epoch, step, at, paid, state: json, told, crc } = rowOf(state)
    await this.#database.write(() => insert.run(lease, epoch, step, at, paid, json, told, crc))
  }

  /** All shards with something left to do, oldest first. */
  open(): OpenState[] {
    return this.#states(OPEN).filter(isOpen)
  }

  /** Abandonments that the marketplace has not been told of, oldest first. */
  untold(): Abandoned[] {
    return this.#states(UNTOLD).filter(state => state.step === "abandoned")
  }

  /** The marketplace knows that this lease was abandoned, or has no use for the news. Twice is harmless. */
  async told(lease: string, epoch: number): Promise<void> {
    const update = this.#database.sql.prepare("UPDATE shard SET told = 1 WHERE lease = ? AND epoch = ?")
    await this.#database.write(() => update.run(lease, epoch))
  }

  /** The latest states, newest first; what cannot be read is passed over. */
  history(limit: number): HistoryEntry[] {
    return this.#rows("ORDER BY at DESC LIMIT ?", [limit]).flatMap(row => {
      const read = stateOf(row)
      return "state" in read ? [{ at: row.at, state: read.state }] : []
    })
  }

  totals(): Totals {
    const row = this.#database.sql
      .prepare(
        "SELECT count(*) FILTER (WHERE step = 'settled') AS settled, " +
          "count(*) FILTER (WHERE step = 'abandoned') AS abandoned, coalesce(sum(paid), 0) AS earned FROM shard",
      )
      .get() as unknown as Totals
    return { ...row }
  }

  /** Moves rows that have something left to do and cannot be read to where nothing looks for them; gives what was moved. */
  setAside(): UnreadableRow[] {
    const { sql } = this.#database
    const unreadable = [...this.#rows(OPEN), ...this.#rows(UNTOLD)].flatMap(row => {
      const read = stateOf(row)
      return "why" in read ? [{ ...row, why: read.why }] : []
    })
    if (unreadable.length === 0) return []
    const copy = sql.prepare(
      `INSERT INTO aside (aside_at, why, ${SHARD_COLUMNS}) SELECT ?, ?, ${SHARD_COLUMNS} FROM shard WHERE rowid = ?`,
    )
    const remove = sql.prepare("DELETE FROM shard WHERE rowid = ?")
    sql.exec("BEGIN IMMEDIATE")
    try {
      for (const { rowid, why } of unreadable) {
        copy.run(new Date().toISOString(), why, rowid)
        remove.run(rowid)
      }
      sql.exec("COMMIT")
    } finally {
      if (sql.isTransaction) sql.exec("ROLLBACK")
    }
    return unreadable.map(({ lease, epoch, why }) => ({ lease, epoch, why }))
  }

  close(): void {
    this.#database.close()
    this.#lock?.release()
  }

  #states(where: string): ShardState[] {
    return this.#rows(where).flatMap(row => {
      const read = stateOf(row)
      return "state" in read ? [read.state] : []
    })
  }

  #rows(where: string, parameters: number[] = []): (ShardRow & { rowid: number })[] {
    const select = this.#database.sql.prepare(`SELECT rowid, ${SHARD_COLUMNS} FROM shard ${where}`)
    return select.all(...parameters) as unknown as (ShardRow & { rowid: number })[]
  }
}

const OPEN = "WHERE step NOT IN ('settled', 'abandoned') ORDER BY at, rowid"
const UNTOLD = "WHERE step = 'abandoned' AND told = 0 ORDER BY at, rowid"

/**
 * Opens the journal file.
 * @param onDamage given by the one process that walks shards, which holds the journal alone: what is damaged is then set aside, told here,
 * and the rest goes on. Without it a damaged file is left as it is, and rows that cannot be read are passed over.
 * @throws Fault `disk-full`; `already-serving` when another process walks shards; `journal-damaged` without `onDamage`.
 */
export function openJournal(path: string, onDamage?: (damage: Damage) => void): Journal {
  if (onDamage === undefined) return openAsItIs(path)
  const lock = lockFile(`${path}.lock`, path)
  try {
    return openSound(path, lock, onDamage)
  } catch (error) {
    lock.release()
    throw error
  }
}

function openAsItIs(path: string): Journal {
  if (isEmptied(path)) throw damaged(path)
  try {
    return new Journal(new Database(path, MIGRATIONS))
  } catch (error) {
    throw isDamage(error) || hasOtherSchema(error) ? damaged(path, error) : error
  }
}

function damaged(path: string, cause?: unknown): Fault {
  return new Fault("journal-damaged", "The journal of shards cannot be read.", {
    hint: "Start `zg-agent serve`: it sets the damaged file aside, saves what can be read, and goes on.",
    facts: { path },
    cause,
  })
}

function openSound(path: string, lock: Lock, onDamage: (damage: Damage) => void): Journal {
  finishSalvage(path)
  const sound = openIfSound(path)
  const saved = sound === null ? salvage(path, new Date()) : { file: null, salvaged: 0, rows: [] }
  finishSalvage(path)
  const database = sound ?? new Database(path, MIGRATIONS)
  try {
    const journal = new Journal(database, lock)
    const rows = [...saved.rows, ...journal.setAside()]
    if (saved.file !== null || rows.length > 0) onDamage({ ...saved, rows })
    return journal
  } catch (error) {
    database.close()
    throw error
  }
}

/** Null for a damaged file. */
function openIfSound(path: string): Database | null {
  try {
    return isSound(path) ? new Database(path, MIGRATIONS) : null
  } catch (error) {
    if (isDamage(error) || hasOtherSchema(error)) return null
    throw error
  }
}
