import { Fault } from "../protocol/fault.ts"
import type { JobId, JobStatus } from "../protocol/job.ts"
import { followJob } from "../runtime/job/follow.ts"
import type { Wire } from "../runtime/market/wire.ts"
import { jobNews } from "./job-news.ts"

/**
 * Prints a job's news until it is over: lines for people, or each state as one line of JSON.
 * @throws Fault `job-failed` when it ends so.
 */
export async function printJob(wire: Wire, job: JobId, json: boolean, signal: AbortSignal): Promise<void> {
  let before: JobStatus | null = null
  const tell = (now: JobStatus) => {
    const lines = json ? [JSON.stringify(now)] : jobNews(before, now)
    for (const line of lines) process.stdout.write(`${line}\n`)
    before = now
  }
  const { state, reason, id } = await followJob(wire, job, tell, signal)
  if (state === "failed") {
    throw new Fault(
      "job-failed",
      `${id} failed: ${(reason ?? "no reason given").replace(/^job-[a-z]+: /, "")}`,
      {
        hint: "What was not spent of its escrow is back on your account. Mend the cause, then submit it again.",
      },
    )
  }
}
