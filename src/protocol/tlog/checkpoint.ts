import { Fault } from "../fault.ts"
import { HASH_BYTES } from "./hash.ts"
import { type Note, type NoteKey, type NoteSignature, parseNote, signaturesOn } from "./note.ts"
import type { TreeHead } from "./prove.ts"

/** A log's word on what it holds (C2SP tlog-checkpoint). */
export interface Checkpoint extends TreeHead {
  /** The log's name. */
  origin: string
}

/** One that the log has signed. */
export interface SignedCheckpoint extends Checkpoint {
  note: Note
  /** Of the witnesses that were asked after. */
  cosignatures: NoteSignature[]
}

const FORMAT = /^(\S+)\n(0|[1-9]\d{0,15})\n([A-Za-z0-9+/]{43}=)\n/

export function checkpointText({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${Buffer.from(root).toString("base64")}\n`
}

/** @returns null for what says no tree. Lines below the first three are left to others. */
export function parseCheckpoint(text: string): Checkpoint | null {
  const [, origin, size, base64 = ""] = text.match(FORMAT) ?? []
  const root = Buffer.from(base64, "base64")
  const isWhole = origin !== undefined && root.length === HASH_BYTES && Number.isSafeInteger(Number(size))
  return isWhole ? { origin, size: Number(size), root } : null
}

/**
 * Reads a checkpoint that a log has signed.
 * @throws Fault `ledger-malformed` for what is none, `ledger-mismatch` when this log did not sign it.
 */
export function openCheckpoint(
  text: string,
  log: NoteKey,
  witnesses: readonly NoteKey[] = [],
): SignedCheckpoint {
  const note = parseNote(text)
  const checkpoint = note && parseCheckpoint(note.text)
  if (!checkpoint) {
    throw new Fault("ledger-malformed", "This is not a checkpoint of a ledger.", {
      hint: "A checkpoint has three lines (name, size, root) and signatures below them; fetch it again.",
    })
  }
  if (checkpoint.origin !== log.name || signaturesOn(note, [log]).length === 0) {
    throw new Fault("ledger-mismatch", `The checkpoint is not signed by ${log.name}.`, {
      hint: "It comes from another marketplace, or somebody changed it on the way: ask who runs the marketplace for its key.",
      facts: { origin: checkpoint.origin, size: checkpoint.size },
    })
  }
  return { ...checkpoint, note, cosignatures: signaturesOn(note, witnesses) }
}
