import { ProofStatement } from "../../protocol/proof.ts"
import type { Receipt } from "../../protocol/receipt.ts"
import { readStatement } from "../../protocol/statement.ts"
import { checkCharge, checkReceipt, checkRecorded } from "../proof/verify.ts"
import { vacate } from "./clean.ts"
import type { Ports } from "./ports.ts"
import type { Committed, Proved, Settled } from "./state.ts"

type Keeping = Pick<Ports, "onCheckpoint" | "marketKey" | "signer" | "archive">

/**
 * proved → settled, or → committed where its audits come first: outputs delivered, proof handed in. The registry knows a blob by its
 * digest and the marketplace a proof by its own, so that twice costs nobody anything. A committed shard has no place any more: what may be
 * asked for is in the store, and an agent that is drained does not wait for audits.
 * @throws Fault `blob-*`, or as {@link keepReceipt}, or what the marketplace refused with.
 */
export async function settle(
  shard: Proved,
  ports: Keeping & Parameters<typeof vacate>[1] & Pick<Ports, "transfer" | "handIn">,
  signal: AbortSignal,
): Promise<Settled | Committed> {
  const { assignment, outputs, bundle } = shard
  for (const output of outputs) await ports.transfer.upload(output, signal)
  const answer = await ports.handIn(assignment.lease, bundle, signal)
  if (!("reveal" in answer)) return keepReceipt(shard, answer, ports)
  await vacate(shard, ports)
  return { ...shard, step: "committed" }
}

/** The end of a proof's wait: its receipt checked and kept. @throws Fault `receipt-refused`, `ledger-*`. */
export async function keepReceipt(
  { assignment, berth, proof, bundle }: Proved | Committed,
  receipt: Receipt,
  ports: Keeping,
): Promise<Settled> {
  const due = { proof, lease: assignment.lease.id, agent: ports.signer.keyId }
  const answer = checkReceipt(receipt.bundle, ports.marketKey, due)
  checkCharge(answer, assignment, readStatement(bundle, ProofStatement))
  checkRecorded(receipt.ledger, ports.marketKey, answer)
  const { zg_settlement } = answer.predicate
  await ports.archive.settle(proof, receipt)
  ports.onCheckpoint(receipt.ledger.checkpoint)
  const settledOn = new Date().toISOString()
  return { step: "settled", assignment, berth, proof, paid: zg_settlement.paid, settledOn }
}
