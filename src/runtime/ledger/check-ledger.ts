import { Fault } from "../../protocol/fault.ts"
import type { PublicKey } from "../../protocol/keys.ts"
import { checkLedgerProof } from "../../protocol/ledger-proof.ts"
import type { SignedCheckpoint } from "../../protocol/tlog/checkpoint.ts"
import { areEqual, type Hash } from "../../protocol/tlog/hash.ts"
import type { NoteKey } from "../../protocol/tlog/note.ts"
import type { ProofArchive } from "../proof/archive.ts"
import type { LedgerFiles } from "./files.ts"
import { checkGrowth, readCheckpoint } from "./read-log.ts"
import { type Verified, type VerifyWatch, verifyLog } from "./verify.ts"

export interface CheckedLedger extends Omit<Verified, "leafAt"> {
  origin: string
  root: Hash
  /** Names of the witnesses that cosigned it, of those that were asked after. */
  witnesses: string[]
  /** Receipts of this home that stand in it. */
  receipts: number
}

export interface LedgerToCheck {
  files: LedgerFiles
  log: NoteKey
  witnesses: readonly NoteKey[]
  /** So many of them have to have cosigned. */
  quorum: number
  /** Receipts that must stand in it, with their marketplace's key; null for none. */
  receipts: { archive: ProofArchive; market: PublicKey } | null
}

/**
 * Checks all of a ledger, and that what this home was told when it was paid stands in it.
 * @throws Fault `ledger-mismatch`, `ledger-forked`, `ledger-malformed`, or as {@link LedgerFiles.read}.
 */
export async function checkLedger(
  { files, log, witnesses, quorum, receipts }: LedgerToCheck,
  watch: VerifyWatch,
): Promise<CheckedLedger> {
  const checkpoint = await readCheckpoint(files, log, watch.signal, witnesses)
  const cosigned = checkpoint.cosignatures.map(({ name }) => name)
  if (cosigned.length < quorum) throw tooFew(cosigned.length, quorum)
  const held = receipts === null ? [] : await heldBy(receipts)
  const wanted = held.flatMap(({ leaves }) => [...leaves.keys()])
  const { leafAt, ...verified } = await verifyLog(files, checkpoint, watch, new Set(wanted))
  for (const { head, leaves } of held) {
    await checkGrowth(files, head, checkpoint, watch.signal)
    for (const [index, leaf] of leaves) if (!isThere(leafAt(index), leaf)) throw notThere(index)
  }
  const { origin, root } = checkpoint
  return { ...verified, origin, root, witnesses: cosigned, receipts: held.length }
}

function isThere(found: Hash | undefined, due: Hash): boolean {
  return found !== undefined && areEqual(found, due)
}

/** What this home was shown with each receipt. */
async function heldBy({ archive, market }: NonNullable<LedgerToCheck["receipts"]>) {
  const held: { head: SignedCheckpoint; leaves: Map<number, Hash> }[] = []
  for await (const { ledger } of archive.list()) {
    if (ledger === null) continue
    const { checkpoint, entries } = checkLedgerProof(ledger, market)
    held.push({ head: checkpoint, leaves: new Map(entries.map(({ index, leaf }) => [index, leaf])) })
  }
  return held
}

function tooFew(found: number, quorum: number): Fault {
  return new Fault(
    "ledger-mismatch",
    `${found} of the named witnesses signed the checkpoint, not ${quorum}.`,
    {
      hint: "A witness may be away: try again later. If it refuses, ask who runs it what it saw.",
      facts: { found, quorum },
    },
  )
}

function notThere(index: number): Fault {
  return new Fault(
    "ledger-mismatch",
    `Entry ${index}, which a receipt of this home showed, is another one here.`,
    {
      hint: "The marketplace tells others another story than it told you: keep the receipt as evidence.",
      facts: { index },
    },
  )
}
