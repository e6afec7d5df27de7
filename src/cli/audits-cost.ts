import { formatCredits } from "../protocol/credits.ts"
import type { JobStatus } from "../protocol/job.ts"

/** `; 1.875 went to audits`: what was spent beside the shards themselves; nothing where that is nothing, or not every shard is told. */
export function forAudits({ spent, shards }: Pick<JobStatus, "spent" | "shards">): string {
  const isTold =
    shards[0]?.index === 0 && shards.every(({ state, cost }) => state !== "settled" || cost !== null)
  const own = shards.reduce((sum, { cost }) => sum + (cost ?? 0), 0)
  return isTold && spent > own ? `; ${formatCredits(spent - own)} went to audits` : ""
}
