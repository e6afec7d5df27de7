import type { AnchoredLedger } from "../runtime/ledger/anchor/anchor-ledger.ts"
import type { CheckedAnchor } from "../runtime/ledger/anchor/check-anchor.ts"
import { counted } from "./counted.ts"

/** An anchor that has been sent, for people. */
export function sentAnchorReport({ checkpoint, chain, transaction, from, block }: AnchoredLedger): string {
  const { origin, size, root } = checkpoint
  return [
    `✔ ${origin} is anchored with ${size} entries.`,
    `  root         ${Buffer.from(root).toString("base64")}`,
    `  transaction  ${transaction}`,
    `  chain        ${chain}, block ${block.number} (${block.at.toISOString()})`,
    `  sent by      ${from}`,
  ].join("\n")
}

/** An anchor that the ledger goes on from, for people. */
export function checkedAnchorReport(anchor: CheckedAnchor): string {
  const { size, root, chain, transaction, block, at, confirmations, from } = anchor
  return [
    `✔ At block ${block} (${at}) of chain ${chain} the ledger had ${size} entries with the root ${Buffer.from(root).toString("base64")}; it goes on from there.`,
    `  transaction  ${transaction}, ${counted(confirmations, "block")} deep`,
    `  sent by      ${from}`,
  ].join("\n")
}
