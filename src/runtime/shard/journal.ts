import { Fault } from "../../protocol/fault.ts"
import { Database } from "../../store/database.ts"
import { isOpen, type OpenState, ShardState } from "./state.ts"

const MIGRATIONS = [
  `CREATE TABLE shard (
     lease TEXT NOT NULL,
     epoch INTEGER NOT NULL,
     step TEXT NOT NULL,
     at TEXT NOT NULL,
     paid INTEGER NOT NULL DEFAULT 0,
     state TEXT NOT NULL,
     PRIMARY KEY (lease, epoch)
   ) STRICT;
   CREATE INDEX shard_at ON shard (at);
   CREATE INDEX shard_open ON shard (step) WHERE step NOT IN ('settled', 'abandoned')`,
]

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

/** Which shard is where, durable before the next effect begins; ended ones stay as the host's history. */
export class Journal {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  /** Resolves when the state is on disk. */
  async record(state: ShardState): Promise<void> {
    const { id, epoch } = state.assignment.lease
    const paid = state.step === "settled" ? state.paid : 0
    const insert = this.#database.sql.prepare(
      "INSERT INTO shard (lease, epoch, step, at, paid, state) VALUES (?, ?, ?, ?, ?, ?) " +
        "ON CONFLICT DO UPDATE SET step = excluded.step, at = excluded.at, paid = excluded.paid, state = excluded.state",
    )
    const row = [id, epoch, state.step, new Date().toISOString(), paid, JSON.stringify(state)] as const
    await this.#database.write(() => insert.run(...row))
  }

  /** All shards with something left to do, oldest first. Throws Fault `journal-damaged`. */
  open(): OpenState[] {
    return this.#read("WHERE step NOT IN ('settled', 'abandoned') ORDER BY at", [])
      .map(({ state }) => state)
      .filter(isOpen)
  }

  /** The latest states, newest first. */
  history(limit: number): HistoryEntry[] {
    return this.#read("ORDER BY at DESC LIMIT ?", [limit])
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

  close(): void {
    this.#database.close()
  }

  #read(where: string, parameters: number[]): HistoryEntry[] {
    const rows = this.#database.sql
      .prepare(`SELECT at, state FROM shard ${where}`)
      .all(...parameters) as unknown as { at: string; state: string }[]
    return rows.map(({ at, state }) => ({ at, state: parseState(state) }))
  }
}

/** Opens the journal file. Throws Fault `journal-damaged` when it is none. */
export function openJournal(path: string): Journal {
  try {
    return new Journal(new Database(path, MIGRATIONS))
  } catch (cause) {
    throw damaged(cause, { path })
  }
}

function parseState(json: string): ShardState {
  try {
    return ShardState.parse(JSON.parse(json))
  } catch (cause) {
    throw damaged(cause, {})
  }
}

function damaged(cause: unknown, facts: Fault["facts"]): Fault {
  return new Fault("journal-damaged", "The journal of shards cannot be read.", {
    hint: "Move journal.sqlite (and its -wal and -shm files) away; open leases then run out by themselves.",
    facts,
    cause,
  })
}
