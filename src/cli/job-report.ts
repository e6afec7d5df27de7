import { formatCredits } from "../protocol/credits.ts"
import type { JobStatus } from "../protocol/job.ts"
import { columns } from "./table.ts"

/** A job's state for people: one line, then losses, then the shards that are not settled yet. */
export function jobReport(job: JobStatus): string {
  const settled = job.shards.filter(shard => shard.state === "settled").length
  const lines = [
    `${job.id} ${job.name}: ${job.state}${job.reason ? ` (${job.reason})` : ""}`,
    `  shards  ${settled} of ${job.shardsTotal} settled`,
    `  credits ${formatCredits(job.spent)} spent of ${formatCredits(job.escrow)}`,
  ]
  for (const { label, loss } of job.losses) lines.push(`  loss    ${loss.toFixed(4)} ${label}`)
  const open = job.shards.filter(shard => shard.state !== "settled")
  if (open.length > 0) lines.push(shardTable(open))
  return lines.join("\n")
}

function shardTable(shards: JobStatus["shards"]): string {
  const rows = shards.map(({ label, state, attempt, agent, step, steps }) => {
    return [label, state, attempt, agent?.slice(0, 12) ?? "", steps > 0 ? `${step}/${steps}` : ""]
  })
  return columns(["shard", "state", "attempt", "agent", "step"], rows)
}
