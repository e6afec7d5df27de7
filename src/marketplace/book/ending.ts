import type { JobId } from "../../protocol/job.ts"
import { refund } from "../ledger/posting.ts"
import type { Exchange } from "./exchange.ts"
import type { ShardRow } from "./shard-row.ts"

export type End = { state: "done"; reason: null } | { state: "failed"; reason: string }

/** Ends a job that has not ended yet, durably, and tells everybody whom it concerns. */
export async function endJob(exchange: Exchange, job: JobId, end: End): Promise<void> {
  announceEnd(exchange, await exchange.db.write(() => recordEnd(exchange, job, end)))
}

/** What the world has to hear once the end is durable. */
export interface Ended {
  job: JobId
  end: End
  /** Shards that were leased. */
  cancelled: ShardRow[]
}

/** The end of a job inside a write: its open shards are closed, and what is left in escrow goes back. Null when it had ended. */
export function recordEnd(exchange: Exchange, id: JobId, end: End): Ended | null {
  const { jobs, shards, audits } = exchange
  const job = jobs.one(id)
  if (!job || job.state === "done" || job.state === "failed") return null
  const open = shards.of(id).filter(({ state }) => state === "ready" || state === "leased")
  for (const shard of open)
    shards.update(shard, { state: "failed", epoch: shard.epoch + 1, checkpoint: null })
  jobs.setState(id, end.state, end.reason)
  audits.closeCanaries(id)
  refundIfOver(exchange, id)
  return { job: id, end, cancelled: open.filter(({ state }) => state === "leased") }
}

/** Inside a write: what a job that is over has left goes back, once nothing is under way that may have to be paid of it. */
export function refundIfOver({ jobs, audits, commitments, ledger }: Exchange, id: JobId): void {
  const job = jobs.one(id)
  const rest = ledger.balance(`escrow:${id}`)
  if (!job || rest === 0 || job.state === "waiting" || job.state === "running") return
  if (commitments.openOf(id).length > 0 || audits.open(id).length > 0) return
  ledger.append(refund(job.owner, id, rest, ledger.paidFrom(id)))
}

export function announceEnd(
  { offers, refusals, roster, progress, watches, log, wake }: Exchange,
  ended: Ended | null,
) {
  if (!ended) return
  const { job, end, cancelled } = ended
  refusals.forget(job)
  for (const offer of offers.all().filter(offer => offer.job === job)) {
    offers.remove(offer)
    roster.send(offer.agent, { type: "withdrawn", offer: offer.id })
  }
  for (const shard of cancelled) {
    progress.forget(shard)
    const { lease, epoch, agent } = shard
    if (agent) roster.send(agent, { type: "cancel", lease, epoch, reason: end.reason ?? "the job is done" })
  }
  watches.ended(job)
  log.info({ event: `job.${end.state}`, job, reason: end.reason })
  wake()
}
