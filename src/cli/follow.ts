import type { Logger } from "pino"
import { Fault } from "../protocol/fault.ts"
import type { JobId, JobStatus } from "../protocol/job.ts"
import type { Home } from "../runtime/agent/home.ts"
import { followJob } from "../runtime/job/follow.ts"
import { Link } from "../runtime/market/link.ts"
import { sessionOptions } from "../runtime/market/visit.ts"
import { jobNews } from "./job-news.ts"

/** A session that comes back when the marketplace was away, and says so on stderr. */
export async function openLink(home: Home, agent: string, log: Logger): Promise<Link> {
  return new Link(await sessionOptions(home, agent), log.child({}, { level: "warn" }))
}

/**
 * Prints a job's news until it is over: lines for people, or each state as one line of JSON.
 * @throws Fault `job-failed` when it ends so.
 */
export async function printJob(link: Link, job: JobId, json: boolean, signal: AbortSignal): Promise<void> {
  let before: JobStatus | null = null
  const tell = (now: JobStatus) => {
    const lines = json ? [JSON.stringify(now)] : jobNews(before, now)
    for (const line of lines) process.stdout.write(`${line}\n`)
    before = now
  }
  const { state, reason, id } = await followJob(link, job, tell, signal)
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
