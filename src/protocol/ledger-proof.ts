import { z } from "zod"
import { Fault } from "./fault.ts"
import { CanonicalBase64, keyIdOf, type PublicKey } from "./keys.ts"
import { type LedgerEntry, parseEntry } from "./ledger-entry.ts"
import { openCheckpoint, type SignedCheckpoint } from "./tlog/checkpoint.ts"
import { leafHash } from "./tlog/hash.ts"
import type { NoteKey } from "./tlog/note.ts"
import { isIncluded } from "./tlog/prove.ts"

/** SHA-256 in base64. */
const HashText = CanonicalBase64.length(44)

/** Entries of a ledger with all that shows that they are in it. */
export const LedgerProof = z.strictObject({
  /** Signed by the ledger, perhaps by witnesses too (C2SP tlog-checkpoint). */
  checkpoint: z.string().max(16_384),
  entries: z
    .array(
      z.strictObject({
        index: z.int().min(0),
        /** The entry's bytes. */
        body: CanonicalBase64.max(90_000),
        /** From the leaf's neighbour to the root's child (RFC 6962, 2.1.1). */
        hashes: z.array(HashText).max(63),
      }),
    )
    .min(1)
    .max(8),
})
export type LedgerProof = z.infer<typeof LedgerProof>

const NAME_DIGITS = 16

/** What a marketplace's ledger signs with: its name holds the key, so that it stays the same wherever the marketplace moves. */
export function ledgerKey(market: PublicKey): NoteKey {
  return { kind: "log", name: `zg-agent.dev/ledger/${keyIdOf(market).slice(0, NAME_DIGITS)}`, key: market }
}

export interface ProvenEntries {
  checkpoint: SignedCheckpoint
  entries: { index: number; leaf: Uint8Array; entry: LedgerEntry }[]
}

/**
 * Checks the signature under the checkpoint and each entry's way to its root.
 * @throws Fault `ledger-malformed`, or `ledger-mismatch` for what this marketplace's ledger does not hold.
 */
export function checkLedgerProof(
  proof: LedgerProof,
  market: PublicKey,
  witnesses: readonly NoteKey[] = [],
): ProvenEntries {
  const checkpoint = openCheckpoint(proof.checkpoint, ledgerKey(market), witnesses)
  const entries = proof.entries.map(({ index, body, hashes }) => {
    const bytes = Buffer.from(body, "base64")
    const leaf = leafHash(bytes)
    const way = { index, size: checkpoint.size, hashes: hashes.map(text => Buffer.from(text, "base64")) }
    if (!isIncluded(leaf, way, checkpoint.root)) throw notIncluded(index, checkpoint.size)
    const entry = parseEntry(bytes)
    if (entry === null) throw malformed(index)
    return { index, leaf, entry }
  })
  return { checkpoint, entries }
}

function notIncluded(index: number, size: number): Fault {
  return new Fault(
    "ledger-mismatch",
    `Entry ${index} is not in the ledger of ${size} entries that was signed.`,
    {
      hint: "The marketplace signed something that it did not record. Keep this as evidence, and ask who runs it.",
      facts: { index, size },
    },
  )
}

function malformed(index: number): Fault {
  return new Fault("ledger-malformed", `Entry ${index} is none that this version of zg-agent knows.`, {
    hint: "It may come from a newer marketplace; `zg-agent --version` tells your version.",
    facts: { index },
  })
}

/** The proof of one entry as text, for other programs (C2SP tlog-proof). */
export function tlogProofText({ checkpoint, entries }: LedgerProof, at: number): string {
  const entry = entries[at]
  if (entry === undefined) throw new RangeError(`no entry ${at}`)
  return ["c2sp.org/tlog-proof@v1", `index ${entry.index}`, ...entry.hashes, "", checkpoint].join("\n")
}
