import type { JobId } from "../../../protocol/job.ts"
import { mostOf } from "../../../protocol/price.ts"
import { auditsAhead, mostOfShard, total } from "../../plans/plan.ts"
import type { Exchange } from "../exchange.ts"

interface Spending {
  cost: number
  /** Whether it is more than what a shard's audit takes while nobody differs. */
  isFurther: boolean
}

/**
 * Whether a job's escrow has this much beside what its own shards and the audits under way may cost. A further answer takes nothing either from
 * the first audits of shards to come.
 */
export function affords(
  { ledger, jobs, shards, audits, commitments }: Exchange,
  id: JobId,
  { cost, isFurther }: Spending,
): boolean {
  const job = jobs.one(id)
  if (!job) return false
  const { settled } = shards.count(id)
  const isOver = job.state === "failed"
  const unpaid = isOver ? commitments.openOf(id).length : total(job.spec) - settled
  const underWay = audits.open(id).reduce((sum, { price, timeMs }) => sum + mostOf(price, timeMs), 0)
  const ahead = isFurther && !isOver ? auditsAhead(job.spec, { settled, cut: shards.settledCut(id) }) : 0
  return ledger.balance(`escrow:${id}`) - unpaid * mostOfShard(job.spec) - underWay - ahead >= cost
}
