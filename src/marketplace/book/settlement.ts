import { MicroCredits } from "../../protocol/credits.ts"
import type { Digest } from "../../protocol/digest.ts"
import type { KeyId } from "../../protocol/keys.ts"
import { total } from "../plans/plan.ts"
import type { HandedIn } from "./audit/commitment-row.ts"
import { type Ended, recordEnd, refundIfOver } from "./ending.ts"
import type { Exchange } from "./exchange.ts"
import { pay, specOf } from "./payment.ts"
import type { Recorded } from "./proof-row.ts"
import type { ShardRow } from "./shard-row.ts"
import { addReady } from "./submission.ts"

/** A proof that holds, and its place in the ledger. */
export interface Accepted extends HandedIn {
  agent: KeyId
  proof: Digest
  entry: number
}

export interface Settled {
  recorded: Recorded
  ended: Ended | null
}

/** The settlement of one shard, inside a write: all of it or nothing. What waited for it is planned, and its job may be done. */
export function settleShard(exchange: Exchange, shard: ShardRow, accepted: Accepted): Settled {
  const { jobs, shards } = exchange
  const { job } = shard
  const spec = specOf(exchange, job)
  // Those who own its data are paid for a shard once, however often it is run again.
  const royalties = shard.claim === null ? spec.royalties : []
  const recorded = payFor(exchange, shard, accepted, royalties)
  const { outputs, loss } = accepted
  const progress = exchange.progress.of(shard)
  shards.update(shard, {
    ...{ state: "settled", proof: accepted.proof, outputs: JSON.stringify(outputs), checkpoint: null },
    ...{ loss: loss ?? progress?.loss ?? shard.loss, cost: recorded.cost },
    ...{ step: progress?.steps ?? shard.steps, steps: progress?.steps ?? shard.steps },
  })
  if (shard.claim !== null) return { recorded, ended: null }
  const { state } = jobs.one(job) ?? {}
  // The proof was audited for longer than its job lasted.
  if (state === "failed") refundIfOver(exchange, job)
  if (state === "failed" || state === "done") return { recorded, ended: null }
  if (shards.count(job).planned < total(spec)) addReady(exchange, job, spec, shards.settled(job))
  const done = shards.count(job).settled === total(spec)
  const ended = done ? recordEnd(exchange, job, { state: "done", reason: null }) : null
  return { recorded, ended }
}

function payFor(
  exchange: Exchange,
  { job, lease }: ShardRow,
  { agent, proof, bundle, entry, charge }: Accepted,
  royalties: Parameters<typeof pay>[3],
): Recorded & { cost: MicroCredits } {
  const { receipt, cost } = pay(exchange, { job, agent, lease, proof }, charge, royalties)
  exchange.proofs.add({ digest: proof, lease, agent, bundle, receipt, entry })
  return { receipt, entry, cost: MicroCredits.parse(cost) }
}
