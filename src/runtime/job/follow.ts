import { setTimeout as sleep } from "node:timers/promises"
import { Fault, isFault } from "../../protocol/fault.ts"
import { type JobId, JobId as JobIdSchema, type JobStatus } from "../../protocol/job.ts"
import type { Link } from "../market/link.ts"
import type { Session } from "../market/session.ts"
import type { Wire } from "../market/wire.ts"

/** How long a marketplace may be away while a job is followed: for a restart, an update, or a router's trouble. */
const AWAY_LIMIT_MS = 10 * 60_000
const LOOK_PAUSE_MS = 1000

/** @throws Fault `bad-argument` for what cannot be a job's id. */
export function parseJobId(text: string): JobId {
  const parsed = JobIdSchema.safeParse(text)
  if (parsed.success) return parsed.data
  throw new Fault("bad-argument", `${JSON.stringify(text.slice(0, 80))} is not a job id.`, {
    hint: "It looks like job-0123456789ab; `zg-agent job list` shows yours.",
  })
}

export function isOver({ state }: JobStatus): boolean {
  return state === "done" || state === "failed"
}

/**
 * Tells each new status of a job until it is over, and gives the last one; over as many connections as it takes.
 * @throws Fault `job-unknown`; `market-lost` when the marketplace is away for longer than `awayLimitMs`; the signal's reason.
 */
export async function followJob(
  link: Link,
  job: JobId,
  tell: (status: JobStatus) => void,
  signal: AbortSignal,
  awayLimitMs = AWAY_LIMIT_MS,
): Promise<JobStatus> {
  const over = Promise.withResolvers<JobStatus>()
  const done = new AbortController()
  const either = AbortSignal.any([signal, done.signal])
  const hear = (status: JobStatus) => {
    tell(status)
    if (isOver(status)) over.resolve(status)
  }
  const watch = ({ wire }: Session) => {
    wire.listen(frame => {
      if (frame.type === "job" && frame.status.id === job) hear(frame.status)
    })
    const asked = wire.request({ type: "watch", job }, "job", either)
    asked.then(({ status }) => hear(status)).catch(error => refuse(error, wire, over.reject))
  }
  const parts = [link.keep(watch, either), notAwayFor(awayLimitMs, link, either)]
  try {
    return await Promise.race([over.promise, ...parts.map(part => part.then(() => over.promise))])
  } finally {
    done.abort()
    await Promise.allSettled(parts)
  }
}

/** A session that is over before it answers is followed by another, which asks again; one that hangs is given up for that. */
function refuse(error: unknown, wire: Wire, reject: (error: unknown) => void): void {
  if (isFault(error, "market-silent")) wire.drop()
  else if (!isFault(error, "market-lost")) reject(error)
}

/** @throws Fault `market-lost`; the signal's reason. */
async function notAwayFor(limitMs: number, link: Link, signal: AbortSignal): Promise<never> {
  let seenAt = performance.now()
  for (;;) {
    await sleep(LOOK_PAUSE_MS, undefined, { signal }).catch(() => {})
    signal.throwIfAborted()
    if (link.current !== null) seenAt = performance.now()
    if (performance.now() - seenAt > limitMs) throw away(limitMs)
  }
}

function away(limitMs: number): Fault {
  return new Fault(
    "market-lost",
    `The marketplace could not be reached for ${Math.round(limitMs / 60_000)} minutes.`,
    { hint: "The job goes on without you: follow it again when the marketplace is back." },
  )
}
