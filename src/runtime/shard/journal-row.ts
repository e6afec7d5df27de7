import { crc32 } from "node:zlib"
import { ShardState } from "./state.ts"

/** A shard as the journal's file holds it. */
export interface ShardRow {
  lease: string
  epoch: number
  step: string
  /** RFC 3339. */
  at: string
  /** Micro-credits. */
  paid: number
  /** JSON. */
  state: string
  /** Whether the marketplace knows of its abandonment; 0 or 1. */
  told: number
  /** CRC-32 of `state`; null in rows of before there was one. */
  crc: number | null
}

/** A row that holds no state, and why. */
export interface UnreadableRow extends Pick<ShardRow, "lease" | "epoch"> {
  why: string
}

export const SHARD_COLUMNS = "lease, epoch, step, at, paid, state, told, crc"

export const MIGRATIONS = [
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
  `ALTER TABLE shard ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
   ALTER TABLE shard ADD COLUMN crc INTEGER;
   UPDATE shard SET told = 1 WHERE step = 'abandoned';
   CREATE INDEX shard_untold ON shard (at) WHERE step = 'abandoned' AND told = 0;
   CREATE TABLE aside (aside_at TEXT NOT NULL, why TEXT NOT NULL, lease, epoch, step, at, paid, state, told, crc)`,
]

export function rowOf(state: ShardState): ShardRow {
  const { id: lease, epoch } = state.assignment.lease
  const json = JSON.stringify(state)
  const paid = state.step === "settled" ? state.paid : 0
  const at = new Date().toISOString()
  return { lease, epoch, step: state.step, at, paid, state: json, told: 0, crc: crc32(json) }
}

type Read = { state: ShardState } | { why: string }

/** The state that a row holds, or why it holds none: a disk can change bytes, and another version of this program write other states. */
export function stateOf(row: ShardRow): Read {
  const read = parsedState(row)
  if ("why" in read) return read
  const { step, assignment } = read.state
  const { id, epoch } = assignment.lease
  return step === row.step && id === row.lease && epoch === row.epoch
    ? read
    : { why: "it is another shard's" }
}

/** A row as it should be, of one that damage may have changed: the state says itself whose it is. Null when it cannot be read. */
export function mendedRow(row: ShardRow): ShardRow | null {
  const read = parsedState(row)
  if ("why" in read) return null
  const mended = rowOf(read.state)
  // To tell the marketplace of an abandonment once more is harmless.
  return { ...mended, at: isTime(row.at) ? row.at : mended.at, told: row.told === 1 ? 1 : 0 }
}

function isTime(text: unknown): text is string {
  return typeof text === "string" && !Number.isNaN(Date.parse(text))
}

function parsedState({ state, crc }: ShardRow): Read {
  if (typeof state !== "string") return { why: "it holds no text" }
  if (crc !== null && crc32(state) !== crc) return { why: "its bytes have changed" }
  const parsed = ShardState.safeParse(jsonOrNull(state))
  return parsed.success ? { state: parsed.data } : { why: "this version does not know such a state" }
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
