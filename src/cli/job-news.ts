import { formatCredits } from "../protocol/credits.ts"
import type { JobStatus, ShardStatus } from "../protocol/job.ts"
import { forAudits } from "./audits-cost.ts"

/** What changed between two states of a job, a line each; `before` is null for the first. */
export function jobNews(before: JobStatus | null, now: JobStatus): string[] {
  return [...shardNews(before, now), ...lossNews(before, now), ...stateNews(before, now)]
}

function stateNews(before: JobStatus | null, now: JobStatus): string[] {
  if (before?.state === now.state && before.reason === now.reason) return []
  // A failure is told with its reason at the end, as the fault that it is.
  const why = now.reason && now.state !== "failed" ? `: ${now.reason}` : ""
  const paid = now.state === "done" ? `, ${formatCredits(now.spent)} credits spent${forAudits(now)}` : ""
  return [`job ${now.state}${why}${paid}`]
}

function shardNews(before: JobStatus | null, now: JobStatus): string[] {
  const earlier = new Map(before?.shards.map(shard => [shard.index, shard]))
  return now.shards.flatMap(shard => {
    const known = earlier.get(shard.index)
    if (known?.state === shard.state && known.attempt === shard.attempt) return []
    if (shard.state === "ready" || shard.state === "offered")
      return known?.state === "committed"
        ? [`${shard.label} did not pass its audits: it is offered anew`]
        : []
    return [shardLine(shard)]
  })
}

function shardLine({ label, state, agent, loss, attempt, cost }: ShardStatus): string {
  const by = agent ? ` by ${agent.slice(0, 8)}` : ""
  const waits = state === "committed" ? ": it waits for its audits" : ""
  const measured = state === "settled" && loss !== null ? `, loss ${loss.toFixed(3)}` : ""
  const again = attempt > 0 ? ` (attempt ${attempt + 1})` : ""
  const paid = cost === null ? "" : `, ${formatCredits(cost)} credits`
  return `${label} ${state}${by}${again}${waits}${measured}${paid}`
}

function lossNews(before: JobStatus | null, now: JobStatus): string[] {
  return now.losses
    .slice(before?.losses.length ?? 0)
    .map(({ label, loss }) => `held-out loss ${loss.toFixed(4)} nats/byte (${label})`)
}
