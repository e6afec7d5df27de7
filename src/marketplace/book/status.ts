import type { JobStatus, ShardStatus } from "../../protocol/job.ts"
import type { Ledger } from "../ledger/ledger.ts"
import { evaluatedBy } from "../plans/losses.ts"
import { results, total } from "../plans/plan.ts"
import type { JobRow } from "./job-row.ts"
import type { Offers } from "./offers.ts"
import type { Progress } from "./progress.ts"
import type { ShardRow, Shards } from "./shard-row.ts"

/** More shards, and as many losses, would not fit into one frame; of a longer job the latest are told. */
export const SHARDS_TOLD = 1024

export interface StatusSources {
  shards: Shards
  ledger: Ledger
  offers: Offers
  progress: Progress
}

/** A job as its buyer sees it, with its latest shards. */
export function jobStatus(sources: StatusSources, job: JobRow, shardsTold = SHARDS_TOLD): JobStatus {
  const { shards, ledger } = sources
  return {
    id: job.id,
    name: job.spec.name,
    kind: job.spec.kind,
    state: job.state,
    reason: job.reason,
    rounds: job.spec.kind === "train" ? job.spec.rounds : 0,
    losses: lossesOf(sources, job).slice(-shardsTold),
    shards: shards.of(job.id, shardsTold).map(shard => shardStatus(sources, shard)),
    shardsTotal: total(job.spec),
    escrow: ledger.setAside(job.id),
    spent: ledger.spentOn(job.id),
    paidFrom: ledger.paidFrom(job.id),
    results: results(job.spec, shards.settled(job.id)),
  }
}

function lossesOf({ shards }: StatusSources, job: JobRow): JobStatus["losses"] {
  return shards.losses(job.id).flatMap(({ label, loss }) => {
    const state = job.spec.kind === "train" ? evaluatedBy(label) : null
    return state === null ? [] : [{ label: state, loss }]
  })
}

function shardStatus({ offers, progress }: StatusSources, shard: ShardRow): ShardStatus {
  const { index, label, state, attempt, agent, step, steps, loss, proof, cost } = shard
  const offered = state === "ready" && offers.has(shard)
  return {
    index,
    label,
    state: offered ? "offered" : state,
    attempt,
    agent,
    ...{ step, steps, loss },
    ...(state === "leased" && progress.of(shard)),
    proof,
    cost,
  }
}
