import { Fault } from "../../protocol/fault.ts"
import { ProofStatement, ranMs } from "../../protocol/proof.ts"
import { ReceiptStatement } from "../../protocol/receipt.ts"
import { readStatement } from "../../protocol/statement.ts"
import type { ArchivedProof, ProofArchive } from "../proof/archive.ts"
import type { PaidShard } from "./earnings.ts"

export interface PaidWork {
  shards: PaidShard[]
  /** Proofs that the marketplace has not answered. */
  open: number
}

/**
 * What this home has receipts for, from its own archive: nobody is asked, and no signature checked (`proof verify` does).
 * @param since milliseconds since 1970: only what was settled from then on.
 */
export async function paidWork(archive: ProofArchive, since: number): Promise<PaidWork> {
  const work: PaidWork = { shards: [], open: 0 }
  for await (const archived of archive.list()) {
    const shard = paidShard(archived)
    if (shard === null) work.open++
    else if (Date.parse(shard.settledOn) >= since) work.shards.push(shard)
  }
  return work
}

function paidShard({ bundle, receipt, assignment }: ArchivedProof): PaidShard | null {
  if (receipt === null) return null
  const { timeCreated, zg_settlement } = readStatement(receipt, ReceiptStatement).predicate
  const proof = readStatement(bundle, ProofStatement)
  const { zg_gpus, zg_usage } = proof.predicate.runDetails.metadata
  const gpu = zg_gpus.map(({ uuid, model }) => uuid ?? model).join(" + ")
  return {
    settledOn: timeCreated,
    job: assignment.job,
    gpu: gpu === "" ? "cpu" : gpu,
    paid: zg_settlement.paid,
    ranMs: ranMs(proof),
    energyJoules: zg_usage.energyJoules,
  }
}

/** A day (`2026-11-22`, from its start in UTC) or a moment in RFC 3339, in milliseconds since 1970. @throws Fault `bad-argument`. */
export function parseSince(text: string): number {
  const since = /^\d{4}-\d{2}-\d{2}(T.+)?$/.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(since)) return since
  throw new Fault("bad-argument", `${JSON.stringify(text)} is no day.`, {
    hint: "Write it as 2026-11-22, or with a time as 2026-11-22T18:00:00Z.",
  })
}
