import { openAnchor } from "../../../protocol/anchor.ts"
import { Fault } from "../../../protocol/fault.ts"
import type { NoteKey } from "../../../protocol/tlog/note.ts"
import type { TreeHead } from "../../../protocol/tlog/prove.ts"
import type { LedgerFiles } from "../files.ts"
import { checkGrowth } from "../read-log.ts"
import type { Anchors, TransactionHash } from "./anchors.ts"
import type { Chain } from "./chain.ts"

/** Which transaction is checked, and the chain that it is on; null for whichever is asked. */
export interface ChosenAnchor {
  transaction: TransactionHash
  chain: number | null
}

/** The last anchor that was sent from this home. @throws Fault `anchor-unknown` where there is none. */
export async function lastAnchor(anchors: Anchors, log: NoteKey): Promise<ChosenAnchor> {
  const last = await anchors.last(log)
  if (last !== null) return last
  throw new Fault("anchor-unknown", `This home has sent no anchor of ${log.name}.`, {
    hint: "Name one that somebody else has sent with --transaction, or send one with `zg-agent ledger anchor`.",
  })
}

export interface AnchorToCheck {
  files: LedgerFiles
  log: NoteKey
  /** The ledger as it is now. */
  head: TreeHead
  chain: Chain
  transaction: TransactionHash
  /** Who must have sent it; null for anybody. */
  from: string | null
  /** Blocks that there must be, its own included. */
  confirmations: number
}

export interface CheckedAnchor extends TreeHead {
  transaction: string
  chain: number
  from: string
  block: number
  /** The block's own time, in ISO 8601. */
  at: string
  confirmations: number
}

/**
 * Checks that a transaction tells a tree which the ledger signed, and that the ledger now goes on from it.
 * @throws Fault `ledger-forked` when it does not; `anchor-unknown`, `anchor-unconfirmed`, `anchor-mismatch`, or as {@link Chain}.
 */
export async function checkAnchor(
  { files, log, head, chain, transaction, from, confirmations }: AnchorToCheck,
  signal: AbortSignal,
): Promise<CheckedAnchor> {
  const found = await chain.transaction(transaction)
  if (found === null) throw unknown(transaction, chain)
  const { block } = found
  const deep = block?.confirmations ?? 0
  if (block === null || deep < confirmations) throw unconfirmed(transaction, deep, confirmations)
  if (!block.isSuccess) throw mismatch(transaction, "was reverted")
  if (from !== null && found.from.toLowerCase() !== from.toLowerCase())
    throw mismatch(transaction, `was sent by ${found.from}, not by ${from}`)
  const { size, root } = openAnchor(found.data, log)
  await checkGrowth(files, { size, root }, head, signal)
  return {
    ...{ size, root, transaction, chain: chain.id, from: found.from },
    ...{ block: block.number, at: block.at.toISOString(), confirmations: deep },
  }
}

function unknown(transaction: string, { id, where }: Chain): Fault {
  return new Fault(
    "anchor-unknown",
    `Chain ${id} at ${where} does not know the transaction ${transaction}.`,
    {
      hint: "Check the hash and --rpc; a transaction that waited for long may have been dropped: anchor again.",
      facts: { transaction, chain: id },
    },
  )
}

function unconfirmed(transaction: string, deep: number, wanted: number): Fault {
  return new Fault(
    "anchor-unconfirmed",
    `The transaction ${transaction} has ${deep} of ${wanted} confirmations.`,
    {
      hint: "Wait until the chain has gone on, or ask for less with --confirmations.",
      facts: { transaction, confirmations: deep, wanted },
    },
  )
}

function mismatch(transaction: string, what: string): Fault {
  return new Fault("anchor-mismatch", `The transaction ${transaction} ${what}.`, {
    hint: "Ask whoever anchored the ledger for the right transaction.",
    facts: { transaction },
  })
}
