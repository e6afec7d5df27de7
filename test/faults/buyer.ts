import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Work, workOf } from "./job.ts"
import type { Place } from "./place.ts"
import type { LogEvent, Timeline } from "./timeline.ts"

const SUBMIT_LIMIT_MS = 90_000

/** A job that was handed in, and what is to come of it. */
export interface Submitted extends Work {
  job: string
}

export interface Means {
  place: Place
  timeline: Timeline
  /** Runs one command of the CLI as the buyer. */
  run: (args: string[]) => Promise<unknown>
  device: "cpu" | "cuda"
}

/**
 * Hands a job in. The marketplace's log names it, so that it is known even where the buyer gets no answer: what a fault does to the buyer's own
 * connection is not the question here.
 */
export async function submit(image: string, { place, timeline, run, device }: Means): Promise<Submitted> {
  const [inputPath, jobPath] = [join(place.root, "text.txt"), join(place.root, "job.yaml")]
  const work = workOf(`${place.root} ${crypto.randomUUID()}`, image, inputPath, device)
  writeFileSync(inputPath, work.input)
  writeFileSync(jobPath, work.yaml)
  const since = Date.now()
  const isSubmitted = ({ by, at, event }: LogEvent) =>
    by === "market" && at >= since && event === "job.submitted"
  const told = timeline.until(isSubmitted, { since, signal: AbortSignal.timeout(SUBMIT_LIMIT_MS) })
  const refused = run(["job", "submit", jobPath]).then(
    () => told,
    error => (timeline.all().some(isSubmitted) ? told : Promise.reject(error)),
  )
  const { fields } = await Promise.race([told, refused])
  refused.catch(() => {})
  return { ...work, job: String(fields.job) }
}
