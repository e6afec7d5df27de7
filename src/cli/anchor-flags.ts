import { Flags } from "@oclif/core"
import { Fault } from "../protocol/fault.ts"
import type { NoteKey } from "../protocol/tlog/note.ts"
import type { TreeHead } from "../protocol/tlog/prove.ts"
import { type Anchors, TransactionHash } from "../runtime/ledger/anchor/anchors.ts"
import { openChain } from "../runtime/ledger/anchor/chain.ts"
import { type CheckedAnchor, checkAnchor, lastAnchor } from "../runtime/ledger/anchor/check-anchor.ts"
import type { LedgerFiles } from "../runtime/ledger/files.ts"

/** Where a chain is asked, and which it must be. */
export const chainFlags = {
  rpc: Flags.string({ description: "JSON-RPC of a node of the chain", helpValue: "URL", env: "ZG_RPC" }),
  chain: Flags.integer({
    description: "number of the chain that it must be; whichever it is when not given",
    helpValue: "ID",
    min: 1,
  }),
}

/** Which anchor is checked, and how. */
export const anchorFlags = {
  anchor: Flags.boolean({
    description: "check the ledger against an anchor on a chain, too: the last one sent from this home",
  }),
  transaction: Flags.string({
    description: "the anchor's transaction, when another one is meant",
    dependsOn: ["anchor"],
    helpValue: "HASH",
  }),
  "anchor-from": Flags.string({
    description: "account that must have sent it; any when not given",
    dependsOn: ["anchor"],
    helpValue: "ADDRESS",
  }),
  confirmations: Flags.integer({
    description: "blocks that the chain must have from the anchor's own on",
    default: 12,
    min: 1,
  }),
  ...chainFlags,
}

export interface AnchorChoice {
  anchor: boolean
  transaction?: string | undefined
  "anchor-from"?: string | undefined
  confirmations: number
  rpc?: string | undefined
  chain?: number | undefined
}

/**
 * Opens the chain, before the whole ledger is read, for the check that comes after it.
 * @returns null where none is asked for.
 * @throws Fault `bad-argument`, `anchor-unknown`, or as {@link openChain}.
 */
export async function openAnchorCheck(
  flags: AnchorChoice,
  { anchors, log }: { anchors: Anchors; log: NoteKey },
  signal: AbortSignal,
): Promise<((files: LedgerFiles, head: TreeHead) => Promise<CheckedAnchor>) | null> {
  if (!flags.anchor) return null
  const rpc = requireRpc(flags.rpc)
  const { confirmations, transaction: named, "anchor-from": sender } = flags
  const from = sender === undefined ? null : parseAddress(sender)
  const chosen =
    named === undefined ? await lastAnchor(anchors, log) : { transaction: parseHash(named), chain: null }
  const chain = await openChain(rpc, flags.chain ?? chosen.chain, signal)
  const { transaction } = chosen
  return (files, head) => checkAnchor({ files, log, head, chain, transaction, from, confirmations }, signal)
}

/** @throws Fault `bad-argument` where no node is named. */
export function requireRpc(rpc: string | undefined): string {
  if (rpc !== undefined) return rpc
  throw badArgument("No node of the chain is named.", "Name one with --rpc, or in ZG_RPC.")
}

function parseHash(text: string): TransactionHash {
  const parsed = TransactionHash.safeParse(text.toLowerCase())
  if (parsed.success) return parsed.data
  const hint = "It is 0x and 64 hex digits; `zg-agent ledger anchor` prints it."
  throw badArgument(`${JSON.stringify(text)} is no transaction's hash.`, hint)
}

function parseAddress(text: string): string {
  if (/^0x[0-9a-fA-F]{40}$/.test(text)) return text
  throw badArgument(`${JSON.stringify(text)} is no account's address.`, "It is 0x and 40 hex digits.")
}

const COINS = /^(\d{1,9})(?:\.(\d{1,18}))?$/
const COIN_DIGITS = 18

/** An amount of a chain's own coin, in its smallest unit (wei). @throws Fault `bad-argument`. */
export function parseCoins(text: string): bigint {
  const [, whole, part = ""] = text.match(COINS) ?? []
  if (whole !== undefined) return BigInt(whole + part.padEnd(COIN_DIGITS, "0"))
  throw badArgument(`${JSON.stringify(text)} is no amount of a coin.`, "It looks like 0.01.")
}

function badArgument(message: string, hint: string): Fault {
  return new Fault("bad-argument", message, { hint })
}
