import type { ReadFile } from "./check.ts"
import { SignedLedger } from "./check.ts"
import { openCheckpoint, parseVkey } from "./note.ts"
import { LedgerProblem } from "./problem.ts"

/** What this browser keeps of a ledger. */
export interface Memory {
  /** The key that its reader told it to trust. */
  trusted: string | null
  /** The largest signed checkpoint so far, and the key that signed it. */
  seen: { vkey: string; note: string } | null
}

export interface Visit {
  ledger: SignedLedger
  /** How many entries the ledger had that it is known to go on from; null at the first visit. */
  since: number | null
  memory: Memory
}

/**
 * Opens the ledger that a marketplace shows now, and checks it against what was kept of earlier visits.
 * @param shown the key that the page names.
 * @throws LedgerProblem
 */
export async function visit(shown: string, memory: Memory, read: ReadFile): Promise<Visit> {
  const vkey = memory.trusted ?? memory.seen?.vkey ?? shown
  if (vkey !== shown) throw otherKey(memory.trusted !== null)
  const bytes = await read("checkpoint")
  if (bytes === null) throw new LedgerProblem("absent", "The marketplace shows no checkpoint.")
  const note = new TextDecoder().decode(bytes)
  const ledger = new SignedLedger(await openCheckpoint(note, vkey), read)
  const seen = memory.seen?.vkey === vkey ? memory.seen : null
  const earlier = seen && (await openCheckpoint(seen.note, vkey))
  if (earlier) await ledger.goesOnFrom(earlier)
  return { ledger, since: earlier?.size ?? null, memory: { ...memory, seen: { vkey, note } } }
}

/** @returns the key in its one spelling; null for what is none. */
export function trustedKey(text: string): string | null {
  return parseVkey(text) === null ? null : text.trim()
}

function otherKey(isChosen: boolean): LedgerProblem {
  const which = isChosen ? "the key that you trust" : "the key of your earlier visits"
  return new LedgerProblem(
    "unsigned",
    `This page names another key than ${which}: it is another marketplace, or this one does not want to be held to its word.`,
  )
}
