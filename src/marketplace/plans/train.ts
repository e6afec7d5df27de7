import type { Blob, FileName, NamedBlob } from "../../protocol/digest.ts"
import type { TrainJob } from "../../protocol/job.ts"
import { RUN_LOG_FILE } from "../../protocol/run-log.ts"
import type { ShardSpec } from "../../protocol/shard-spec.ts"
import { output, type PlannedShard, refused, type Settled } from "./planned.ts"
import { evaluateArgv, reduceArgv, segmentsAsked, trainArgv, warmUpArgv } from "./trainer.ts"

/** Shards before the first round: `untrained`, `warm-up`, `warm-up/evaluate`. */
const PRELUDE = 3
/** A train shard takes parameters and optimizer besides its slices, and a shard has at most 1024 inputs. */
const TEXT_LIMIT = 1022
/** The trainer's own limit. */
const SEED_LIMIT = 2 ** 31 - 1

const file = (name: string) => name as FileName
const PARAMETERS = file("parameters.safetensors")
const OPTIMIZER = file("optimizer.safetensors")
const MOMENTUM = file("momentum.safetensors")
const UPDATE = file("update.safetensors")
const METRICS = file("metrics.json")
const SAMPLE = file("sample.txt")
const RUN_LOG = file(RUN_LOG_FILE)

/** Each round has W train shards, a reduce and an evaluation. */
export function totalOfTrain({ rounds, workers }: TrainJob): number {
  return PRELUDE + rounds * (workers + 2)
}

/** Of these, the warm-up and the workers' shards can be cut into segments. */
export function cutOfTrain({ rounds, workers }: TrainJob): number {
  return 1 + rounds * workers
}

/** @throws Fault `job-refused` */
export function checkTrain({ model, workers, text, seed, outer }: TrainJob): void {
  if (seed > SEED_LIMIT) throw refused(`its seed is over ${SEED_LIMIT}`, "Choose a smaller seed.")
  if (outer.momentum === 1) throw refused("an outer momentum of 1 never slows down", "0.9 is usual.")
  if (model.width % (2 * model.heads) !== 0)
    throw refused(
      `a width of ${model.width} cannot be shared by ${model.heads} heads in pairs`,
      "Make the width a multiple of twice the heads: positions are encoded by rotating pairs.",
    )
  if (workers > text.length)
    throw refused(
      `${workers} workers share ${text.length} slices of text, so some would have none`,
      "Cut the text into more slices, or ask for fewer workers.",
    )
  if (text.length > TEXT_LIMIT)
    throw refused(`it has ${text.length} slices of text; ${TEXT_LIMIT} is the limit`, "Make them larger.")
}

/** The shards whose inputs are there; evaluations run beside the next round. */
export function planTrain(job: TrainJob, settled: Settled): PlannedShard[] {
  const shards = [untrained(job), warmUp(job)]
  let parameters = output(settled, "warm-up", PARAMETERS)
  if (parameters) shards.push(evaluation(job, 0, parameters))
  for (let round = 1; parameters && round <= job.rounds; round++) {
    shards.push(...trainers(job, settled, round, parameters), ...reduction(job, settled, round, parameters))
    parameters = output(settled, `round-${round}/reduce`, PARAMETERS)
    if (parameters) shards.push(evaluation(job, round, parameters))
  }
  return shards.filter(({ label }) => !settled.has(label))
}

/** The latest parameters, sample and metrics, and what the untrained model wrote. */
export function resultsOfTrain(job: TrainJob, settled: Settled): NamedBlob[] {
  const stages = ["warm-up", ...Array.from({ length: job.rounds }, (_, index) => `round-${index + 1}`)]
  const latest = (step: (stage: string) => string, name: FileName) =>
    stages.map(stage => output(settled, step(stage), name)).findLast(blob => blob !== undefined)
  const found = [
    latest(stage => (stage === "warm-up" ? stage : `${stage}/reduce`), PARAMETERS),
    output(settled, `${stages.at(-1)}/evaluate`, SAMPLE),
    named("untrained-sample.txt", output(settled, "untrained", SAMPLE)),
    latest(stage => `${stage}/evaluate`, METRICS),
  ]
  return found.filter(blob => blob !== undefined)
}

function untrained(job: TrainJob): PlannedShard {
  const argv = evaluateArgv(job, { untrained: true, sample: true })
  return { index: 0, label: "untrained", spec: spec(job, argv, [heldOut(job)], [METRICS, SAMPLE]) }
}

function warmUp(job: TrainJob): PlannedShard {
  const outputs = [PARAMETERS, OPTIMIZER, METRICS]
  return { index: 1, label: "warm-up", spec: learning(job, warmUpArgv(job), slices(job, 0, 1), outputs) }
}

/** @param round 0 evaluates the warm-up. */
function evaluation(job: TrainJob, round: number, parameters: NamedBlob): PlannedShard {
  const argv = evaluateArgv(job, { untrained: false, sample: round === job.rounds })
  return {
    index: round === 0 ? PRELUDE - 1 : firstOf(job, round) + job.workers + 1,
    label: `${round === 0 ? "warm-up" : `round-${round}`}/evaluate`,
    spec: spec(job, argv, [heldOut(job), parameters], [METRICS, SAMPLE]),
  }
}

function trainers(job: TrainJob, settled: Settled, round: number, parameters: NamedBlob): PlannedShard[] {
  const optimizer = output(settled, "warm-up", OPTIMIZER)
  if (!optimizer) return []
  return Array.from({ length: job.workers }, (_, worker) => ({
    index: firstOf(job, round) + worker,
    label: `round-${round}/train-${worker}`,
    spec: learning(
      job,
      trainArgv(job, round, worker),
      [parameters, optimizer, ...slices(job, worker, job.workers)],
      [UPDATE, METRICS],
    ),
  }))
}

/** The round's reduce, once every update is there. */
function reduction(job: TrainJob, settled: Settled, round: number, parameters: NamedBlob): PlannedShard[] {
  const updates = Array.from({ length: job.workers }, (_, worker) =>
    named(`update-${worker}.safetensors`, output(settled, `round-${round}/train-${worker}`, UPDATE)),
  )
  const momentum = output(settled, `round-${round - 1}/reduce`, MOMENTUM)
  if (updates.includes(undefined) || (round > 1 && !momentum)) return []
  const inputs = [parameters, momentum, ...updates].filter(blob => blob !== undefined)
  const index = firstOf(job, round) + job.workers
  const outputs = [PARAMETERS, MOMENTUM, METRICS]
  return [{ index, label: `round-${round}/reduce`, spec: spec(job, reduceArgv(job, round), inputs, outputs) }]
}

function firstOf({ workers }: TrainJob, round: number): number {
  return PRELUDE + (round - 1) * (workers + 2)
}

/** Every slice i with i mod `of` = `rest`, under its number in the whole text. */
function slices({ text }: TrainJob, rest: number, of: number): NamedBlob[] {
  return text
    .map((blob, index) => ({ name: file(`text-${String(index).padStart(4, "0")}`), ...blob }))
    .filter((_, index) => index % of === rest)
}

function heldOut(job: TrainJob): NamedBlob {
  return { name: file("held-out"), ...job.heldOut }
}

function named(name: string, blob: Blob | undefined): NamedBlob | undefined {
  return blob && { ...blob, name: file(name) }
}

/** A shard that takes steps: its audits may have it cut into segments. */
function learning(job: TrainJob, argv: string[], inputs: NamedBlob[], outputs: FileName[]): ShardSpec {
  if (segmentsAsked(job) === 1) return spec(job, argv, inputs, outputs)
  return { ...spec(job, argv, inputs, [...outputs, RUN_LOG]), segments: "kept" }
}

function spec(
  { image, resources, limits, checkpoints }: TrainJob,
  argv: string[],
  inputs: NamedBlob[],
  outputs: FileName[],
): ShardSpec {
  const command = { argv, env: {} }
  return { image, command, inputs, outputs, resources, limits, ...(checkpoints && { checkpoints }) }
}
