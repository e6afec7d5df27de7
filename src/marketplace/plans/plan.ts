import type { FileName, NamedBlob } from "../../protocol/digest.ts"
import type { BatchJob, JobSpec } from "../../protocol/job.ts"
import { mostOf, priceOf } from "../../protocol/price.ts"
import { furtherAnswers, mostOfAudits } from "../audit/cost.ts"
import { withRoyalties } from "../ledger/posting.ts"
import { planBatch, resultName, resultsOfBatch } from "./batch.ts"
import { type PlannedShard, refused, type Settled } from "./planned.ts"
import { checkTrain, cutOfTrain, planTrain, resultsOfTrain, totalOfTrain } from "./train.ts"
import { segmentsAsked } from "./trainer.ts"

/** More result files than this would not fit into one `job` frame. */
const RESULTS_LIMIT = 2048
const NAME_LIMIT = 128

/** The shards that can run now and are not settled; those planned before come again. */
export function plan(job: JobSpec, settled: Settled): PlannedShard[] {
  return job.kind === "train" ? planTrain(job, settled) : planBatch(job, settled)
}

/** How many shards the job has in all. */
export function total(job: JobSpec): number {
  return job.kind === "train" ? totalOfTrain(job) : job.shards.length
}

/** The most that one shard can cost: as long as it may run, and its royalties. In micro-credits. */
export function mostOfShard(job: JobSpec): number {
  return withRoyalties(mostOf(priceOf(job), job.limits.timeMs), job.royalties ?? [])
}

/** The most that a job can cost: every shard, its audits, and further answers. In micro-credits. */
export function mostOfJob(job: JobSpec): number {
  const { audit, limits } = job
  const further = furtherAnswers({ audit, price: priceOf(job), timeMs: limits.timeMs })
  return mostOfShard(job) * total(job) + auditsAhead(job, { settled: 0, cut: 0 }) + further
}

/**
 * What the audits of a job's further shards may cost while nobody differs. In micro-credits.
 * @param done how many shards are settled, and how many of these were cut into segments.
 */
export function auditsAhead(job: JobSpec, done: { settled: number; cut: number }): number {
  const cut = job.kind === "train" && segmentsAsked(job) > 1 ? cutOfTrain(job) : 0
  const whole = total(job) - cut - (done.settled - done.cut)
  const [price, { timeMs }] = [priceOf(job), job.limits]
  return mostOfAudits({ audit: job.audit, price, timeMs, whole, cut: cut - done.cut })
}

/** The job's files so far, under the names that the buyer fetches them by. */
export function results(job: JobSpec, settled: Settled): NamedBlob[] {
  return job.kind === "train" ? resultsOfTrain(job, settled) : resultsOfBatch(job, settled)
}

/** @throws Fault `job-refused` for a job that could never be done, saying what to change. */
export function checkJob(job: JobSpec): void {
  if (!Number.isSafeInteger(mostOfJob(job)))
    throw refused("its price times its shards is no exact number", "Offer less for each shard.")
  checkSegments(job)
  if (job.kind === "train") checkTrain(job)
  else checkBatch(job)
}

function checkSegments(job: JobSpec): void {
  const segments = segmentsAsked(job)
  if (segments === 1) return
  if (job.kind === "batch")
    throw refused(
      `its audits ask for ${segments} segments, and nobody knows the states between those of a batch's programs`,
      "Have whole shards run again: segments: 1, drawn: 1.",
    )
  if (job.checkpoints === "travel")
    throw refused(
      `its audits ask for ${segments} segments, whose states stay with the host that made them, and its checkpoints travel`,
      "Leave `checkpoints` out, or have whole shards run again: segments: 1, drawn: 1.",
    )
}

function checkBatch({ shards }: BatchJob): void {
  const names = shards.flatMap((shard, index) => shard.outputs.map(name => resultName(index, name)))
  if (names.length > RESULTS_LIMIT)
    throw refused(
      `it has ${names.length} outputs; ${RESULTS_LIMIT} is the limit`,
      "Split it into several jobs, or let each shard write fewer files.",
    )
  const long = names.find(name => name.length > NAME_LIMIT)
  if (long) throw refused(`the result name ${long} is too long`, "Give that output a shorter name.")
  const unclear = shards.findIndex(
    ({ inputs, outputs }) => repeats(inputs.map(({ name }) => name)) || repeats(outputs),
  )
  if (unclear >= 0)
    throw refused(`shard ${unclear} names a file twice`, "Give every input and every output its own name.")
}

function repeats(names: FileName[]): boolean {
  return new Set(names).size < names.length
}
