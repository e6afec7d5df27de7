import type { PublicKey } from "../../../protocol/keys.ts"
import { ledgerKey } from "../../../protocol/ledger-proof.ts"
import { openCheckpoint } from "../../../protocol/tlog/checkpoint.ts"
import { signatureBy } from "../../../protocol/tlog/note.ts"
import { seedOfProof } from "../../audit/draw.ts"
import type { Published } from "../../ledger/publisher.ts"
import type { Commitments } from "./commitment-row.ts"

/** Inside a write: a checkpoint draws all proofs that it is the first to cover. */
export function drawBy(commitments: Commitments, market: PublicKey, { checkpoint, size }: Published): void {
  const undrawn = commitments.undrawn(size)
  if (undrawn.length === 0) return
  const key = ledgerKey(market)
  const { root, note } = openCheckpoint(checkpoint, key)
  const signature = signatureBy(note, key)
  if (!signature) throw new Error("a checkpoint that was not signed here")
  for (const claim of undrawn)
    commitments.draw(claim, checkpoint, seedOfProof({ root, signature }, claim.proof))
}
