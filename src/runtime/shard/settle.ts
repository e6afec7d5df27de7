import { ProofStatement } from "../../protocol/proof.ts"
import { readStatement } from "../../protocol/statement.ts"
import { checkCharge, checkReceipt, checkRecorded } from "../proof/verify.ts"
import type { Ports } from "./ports.ts"
import type { Proved, Settled } from "./state.ts"

type Needs = Pick<Ports, "transfer" | "settle" | "onCheckpoint" | "marketKey" | "signer" | "archive">

/**
 * proved → settled: outputs delivered, proof handed in, receipt checked and kept. The registry knows a blob by its digest and the
 * marketplace a proof by its own, so that twice costs nobody anything.
 * @throws Fault `blob-*`, `receipt-refused`, `ledger-*`, or what the marketplace refused with.
 */
export async function settle(shard: Proved, ports: Needs, signal: AbortSignal): Promise<Settled> {
  const { assignment, berth, outputs, proof, bundle } = shard
  for (const output of outputs) await ports.transfer.upload(output, signal)
  const receipt = await ports.settle(assignment.lease, bundle, signal)
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
