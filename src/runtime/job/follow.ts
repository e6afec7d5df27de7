import { Fault } from "../../protocol/fault.ts"
import { type JobId, JobId as JobIdSchema, type JobStatus } from "../../protocol/job.ts"
import type { Wire } from "../market/wire.ts"

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
 * Tells each new status of a job until it is over, and gives the last one.
 * @throws Fault `job-unknown`; `market-lost` when the connection ends first.
 */
export async function followJob(
  wire: Wire,
  job: JobId,
  tell: (status: JobStatus) => void,
  signal: AbortSignal,
): Promise<JobStatus> {
  const over = Promise.withResolvers<JobStatus>()
  const hear = (status: JobStatus) => {
    tell(status)
    if (isOver(status)) over.resolve(status)
  }
  const stop = wire.listen(frame => {
    if (frame.type === "job" && frame.status.id === job) hear(frame.status)
  })
  const abort = () => over.reject(signal.reason)
  signal.addEventListener("abort", abort, { once: true })
  try {
    const { status } = await wire.request({ type: "watch", job }, "job", signal)
    hear(status)
    const lost = wire.closed.then(fault => Promise.reject(fault))
    return await Promise.race([over.promise, lost])
  } finally {
    stop()
    signal.removeEventListener("abort", abort)
  }
}
