import { formatCredits } from "../protocol/credits.ts"
import type { JobStatus } from "../protocol/job.ts"
import { forAudits } from "./audits-cost.ts"
import { fundsLine } from "./funds.ts"
import { columns } from "./table.ts"

/** A job's state for people: one line, then losses, then the shards with what they cost. */
export function jobReport(job: JobStatus): string {
  const { settled = [], committed = [] } = Object.groupBy(job.shards, ({ state }) => state)
  const waiting = committed.length > 0 ? `, ${committed.length} waiting for audits` : ""
  const lines = [
    `${job.id} ${job.name}: ${job.state}${job.reason ? ` (${job.reason})` : ""}`,
    `  shards  ${settled.length} of ${job.shardsTotal} settled${waiting}`,
    `  credits ${formatCredits(job.spent)} spent of ${fundsLine(job.paidFrom)}${forAudits(job)}`,
  ]
  for (const { label, loss } of job.losses) lines.push(`  loss    ${loss.toFixed(4)} ${label}`)
  if (job.shards.length > 0) lines.push(shardTable(job.shards))
  return lines.join("\n")
}

function shardTable(shards: JobStatus["shards"]): string {
  const rows = shards.map(({ label, state, attempt, agent, step, steps, cost }) => {
    return [
      label,
      state,
      attempt,
      agent?.slice(0, 12) ?? "",
      steps > 0 ? `${step}/${steps}` : "",
      cost === null ? "" : formatCredits(cost),
    ]
  })
  return columns(["shard", "state", "attempt", "agent", "step", "credits"], rows)
}
