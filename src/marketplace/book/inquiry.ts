import { Fault } from "../../protocol/fault.ts"
import type { JobId, JobStatus } from "../../protocol/job.ts"
import type { KeyId } from "../../protocol/keys.ts"
import type { MarketMessage } from "../../protocol/message.ts"
import type { Exchange } from "./exchange.ts"
import { jobStatus, SHARDS_TOLD } from "./status.ts"

/** A list goes back no further. */
const JOBS_TOLD = 50

/** @throws Fault `job-unknown`, also for somebody else's job. */
export function jobOf(exchange: Exchange, owner: KeyId, id: JobId): JobStatus {
  const job = exchange.jobs.one(id)
  if (job?.owner === owner) return jobStatus(exchange, job)
  throw new Fault("job-unknown", `You have no job ${id} here.`, {
    hint: "Run `zg-agent job list` to see your jobs.",
    facts: { job: id },
  })
}

/** The identity's latest jobs. All share one frame, so each tells of fewer shards and of no results. */
export function jobList(exchange: Exchange, owner: KeyId): MarketMessage {
  const rows = exchange.jobs.ownedBy(owner, JOBS_TOLD)
  const shardsEach = Math.floor(SHARDS_TOLD / Math.max(1, rows.length))
  return {
    type: "jobList",
    jobs: rows.map(job => ({ ...jobStatus(exchange, job, shardsEach), results: [] })),
  }
}
