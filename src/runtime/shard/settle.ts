import { checkReceipt } from "../proof/verify.ts"
import type { Ports } from "./ports.ts"
import type { Proved, Settled } from "./state.ts"

type Needs = Pick<Ports, "transfer" | "settle" | "marketKey" | "signer" | "archive">

/**
 * proved → settled: outputs delivered, proof handed in, receipt checked and kept. The registry knows a blob by its digest and the
 * marketplace a proof by its own, so that twice costs nobody anything.
 * @throws Fault `blob-*`, `receipt-refused`, or what the marketplace refused with.
 */
export async function settle(shard: Proved, ports: Needs, signal: AbortSignal): Promise<Settled> {
  const { assignment, berth, outputs, proof, bundle } = shard
  for (const output of outputs) await ports.transfer.upload(output, signal)
  const receipt = await ports.settle(assignment.lease, bundle, signal)
  const due = { proof, lease: assignment.lease.id, agent: ports.signer.keyId }
  const { zg_settlement } = checkReceipt(receipt, ports.marketKey, due).predicate
  await ports.archive.settle(proof, receipt)
  const settledOn = new Date().toISOString()
  return { step: "settled", assignment, berth, proof, paid: zg_settlement.paid, settledOn }
}
