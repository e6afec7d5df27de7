import { setTimeout as sleep } from "node:timers/promises"
import { anchorData } from "../../../protocol/anchor.ts"
import { Fault, isFault } from "../../../protocol/fault.ts"
import type { SignedCheckpoint } from "../../../protocol/tlog/checkpoint.ts"
import type { NoteKey } from "../../../protocol/tlog/note.ts"
import type { LedgerFiles } from "../files.ts"
import { checkGrowth, readCheckpoint } from "../read-log.ts"
import type { Anchors } from "./anchors.ts"
import type { Chain, ChainTransaction, SignedTransaction } from "./chain.ts"
import type { WalletKey } from "./wallet.ts"

/** On most chains a block takes seconds; where fees rise, a transaction waits longer. */
const BLOCK_LIMIT_MS = 5 * 60_000
const LOOK_EVERY_MS = 1000

export interface LedgerToAnchor {
  files: LedgerFiles
  log: NoteKey
  chain: Chain
  key: WalletKey
  /** What the transaction may cost at most, in the smallest unit of the chain's coin. */
  maxCostWei: bigint
  anchors: Anchors
  /** Milliseconds since 1970. */
  clock: () => number
  /** How long it may wait for a block. */
  blockLimitMs?: number
}

export interface AnchoredLedger {
  checkpoint: SignedCheckpoint
  chain: number
  transaction: SignedTransaction["hash"]
  from: string
  block: NonNullable<ChainTransaction["block"]>
}

/**
 * Writes a ledger's newest checkpoint to a chain, and waits until it is in a block. What was sent is remembered before it goes out.
 * @throws Fault `ledger-forked` when it does not go on from the last one that was anchored from here; `funds-short`, `fee-too-high`,
 * `chain-refused`, `chain-unreachable`, `anchor-unconfirmed`, or as {@link readCheckpoint}.
 */
export async function anchorLedger(parts: LedgerToAnchor, signal: AbortSignal): Promise<AnchoredLedger> {
  const { files, log, chain, key, maxCostWei, anchors } = parts
  const checkpoint = await readCheckpoint(files, log, signal)
  const before = await anchors.last(log)
  if (before !== null) await checkGrowth(files, before.checkpoint, checkpoint, signal)
  const transaction = await chain.sign(key, anchorData(checkpoint, log), maxCostWei)
  const { hash, from } = transaction
  const sentAt = parts.clock()
  await anchors.remember({ transaction: hash, chain: chain.id, from, sentAt, checkpoint })
  await send(chain, transaction, anchors)
  const limit = AbortSignal.timeout(parts.blockLimitMs ?? BLOCK_LIMIT_MS)
  const block = await blockOf(chain, transaction, signal, limit)
  if (!block.isSuccess) throw reverted(hash)
  return { checkpoint, chain: chain.id, transaction: hash, from, block }
}

/** A node may take a transaction and lose its answer: what counts is whether the chain knows it. What may still arrive stays remembered. */
async function send(chain: Chain, transaction: SignedTransaction, anchors: Anchors): Promise<void> {
  try {
    await chain.send(transaction)
  } catch (error) {
    if ((await chain.transaction(transaction.hash)) !== null) return
    if (isFault(error, "chain-refused", "funds-short")) await anchors.forget(transaction.hash)
    throw error
  }
}

async function blockOf(
  chain: Chain,
  { hash, from, nonce }: SignedTransaction,
  signal: AbortSignal,
  limit: AbortSignal,
): Promise<NonNullable<ChainTransaction["block"]>> {
  while (!limit.aborted) {
    // Counted first: what comes into a block between the two questions is found by the second.
    const used = await chain.nonceOf(from as `0x${string}`)
    const found = await chain.transaction(hash)
    if (found?.block) return found.block
    if (used > nonce) throw replaced(hash)
    await sleep(LOOK_EVERY_MS, undefined, { signal: AbortSignal.any([signal, limit]) }).catch(() => {})
    signal.throwIfAborted()
  }
  throw new Fault("anchor-unconfirmed", `The transaction ${hash} is in no block yet.`, {
    hint: "It may still come: `ledger verify --anchor` will find it. If fees have risen, anchor again.",
    facts: { transaction: hash },
  })
}

function replaced(hash: string): Fault {
  return new Fault("chain-refused", `Another transaction of the account took the place of ${hash}.`, {
    hint: "Let one program alone use the account, then anchor again.",
    facts: { transaction: hash },
  })
}

function reverted(hash: string): Fault {
  return new Fault("chain-refused", `The transaction ${hash} was reverted.`, {
    hint: "The account must be a plain one: one with code of its own may refuse what it sends to itself.",
    facts: { transaction: hash },
  })
}
