import { z } from "zod"
import type { Blob, FileName } from "../../protocol/digest.ts"
import type { JobSpec, TrainJob } from "../../protocol/job.ts"
import { RUN_LOG_FILE } from "../../protocol/run-log.ts"
import type { ShardSpec } from "../../protocol/shard-spec.ts"

/** What `compare` says, as far as the marketplace reads it. */
const Compared = z.object({ within: z.boolean() })

const METRICS_FILE = "metrics.json" as FileName
const PROGRAM = ["python3", "-m", "trainer"]

/** The command line of the reference trainer (images/trainer): one function for each of its subcommands. */
export function warmUpArgv(job: TrainJob): string[] {
  return trainer("warm-up", {
    steps: job.warmUp.steps,
    batch: job.batch,
    ...shape(job),
    learningRate: job.warmUp.learningRate,
    ...segments(job, job.warmUp.steps),
    ...machine(job),
  })
}

/** @param round counts from 1 here and from 0 in the trainer; `worker` counts from 0 in both. */
export function trainArgv(job: TrainJob, round: number, worker: number): string[] {
  return trainer("train", {
    round: round - 1,
    rounds: job.rounds,
    worker,
    workers: job.workers,
    ...job.inner,
    batch: job.batch,
    ...segments(job, job.inner.steps),
    ...machine(job),
  })
}

/** The last round takes the plain mean: momentum looks ahead to a round that would not come (benchmarks/diloco). */
export function reduceArgv({ outer, rounds }: TrainJob, round: number): string[] {
  const { learningRate, momentum } = round < rounds ? outer : { learningRate: 1, momentum: 0 }
  return trainer("reduce", { outerLearningRate: learningRate, outerMomentum: momentum })
}

/** Untrained parameters are made from seed and shape, so only that evaluation says the shape. */
export function evaluateArgv(job: TrainJob, { untrained, sample }: { untrained: boolean; sample: boolean }) {
  return trainer("evaluate", {
    ...(untrained && { untrained: true, ...shape(job) }),
    sampleBytes: sample ? job.sample.bytes : 0,
    ...(job.sample.prompt !== "" && { prompt: job.sample.prompt }),
    ...machine(job),
  })
}

/** Into how many segments its audits have a shard cut, which may have fewer steps than that; 1 for one that is audited whole. */
export function segmentsAsked({ audit }: Pick<JobSpec, "audit">): number {
  return audit?.kind === "spot" ? audit.segments : 1
}

/** How many segments the run of a warm-up or train shard has, as its command line says; null for one that is audited whole. */
export function segmentsOf({ segments, command }: Pick<ShardSpec, "segments" | "command">): number | null {
  if (segments !== "kept") return null
  return Math.ceil(numberIn(command.argv, "--steps=") / numberIn(command.argv, "--segment-steps="))
}

/** The command line of a warm-up or train shard, turned into that of one of its segments again; `segment` counts from 0. */
export function replayArgv(argv: readonly string[], segment: number): string[] {
  return [...argv.slice(0, PROGRAM.length), "replay", ...argv.slice(PROGRAM.length), `--segment=${segment}`]
}

/** The command line that makes a shard's outputs from its last state alone. */
export function finishArgv(phase: "warm-up" | "train"): string[] {
  return [...PROGRAM, "finish", phase]
}

/** @param tolerance the largest relative error of a claimed update that passes. */
export function compareArgv(tolerance: number): string[] {
  return trainer("compare", { tolerance })
}

function shape({ model: { layers, width, heads, context } }: TrainJob) {
  return { layers, width, heads, context }
}

/** All segments have this many steps, but the last, which may have fewer. */
function segments(job: TrainJob, steps: number) {
  const asked = segmentsAsked(job)
  return asked > 1 && { segmentSteps: Math.ceil(steps / asked) }
}

function numberIn(argv: readonly string[], flag: string): number {
  return Number(argv.find(argument => argument.startsWith(flag))?.slice(flag.length))
}

function machine({ seed, resources }: TrainJob) {
  // PyTorch calls AMD's ROCm devices cuda, too.
  return {
    seed,
    threads: Math.max(1, Math.floor(resources.cpus)),
    device: resources.device === "cpu" ? "cpu" : "cuda",
  }
}

/** `--learning-rate=0.001`: joined, because a prompt may start with a dash. */
function trainer(subcommand: string, flags: Record<string, string | number | true>): string[] {
  const args = Object.entries(flags).map(([name, value]) => {
    const flag = `--${name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`
    return value === true ? flag : `${flag}=${value}`
  })
  return [...PROGRAM, subcommand, ...args]
}

/** The state before a segment, and after it, as `replay` and `finish` name it. */
export const STATE_FILE = "segment.safetensors" as FileName

/**
 * One segment of a warm-up or train shard again; `segment` counts from 0.
 * @param before null starts from the shard's own inputs.
 */
export function replaySpec(spec: ShardSpec, segment: number, before: Blob | null): ShardSpec {
  const { segments: _, ...whole } = spec
  const text = spec.inputs.filter(({ name }) => name.startsWith("text-"))
  return {
    ...whole,
    command: { ...spec.command, argv: replayArgv(spec.command.argv, segment) },
    inputs: before === null ? spec.inputs : [...text, { name: STATE_FILE, ...before }],
    outputs: [STATE_FILE, RUN_LOG_FILE],
    limits: { ...spec.limits, outMiB: spec.limits.checkpointMiB },
  }
}

/** The outputs of a warm-up or train shard from its last state alone. */
export function finishSpec(spec: ShardSpec, last: Blob): ShardSpec {
  const { segments: _, ...whole } = spec
  const [phase] = spec.command.argv.slice(PROGRAM.length)
  return {
    ...whole,
    command: { ...spec.command, argv: finishArgv(phase === "warm-up" ? phase : "train") },
    inputs: [
      ...spec.inputs.filter(({ name }) => name === "parameters.safetensors"),
      { name: STATE_FILE, ...last },
    ],
    outputs: spec.outputs.filter(name => name.endsWith(".safetensors")),
  }
}

/** How far a claimed state is from a replayed one. It computes little, but runs where the shard itself can. */
export function compareSpec(
  spec: ShardSpec,
  states: { before: Blob; claimed: Blob; replayed: Blob },
  tolerance: number,
): ShardSpec {
  return {
    ...spec,
    command: { ...spec.command, argv: compareArgv(tolerance) },
    inputs: Object.entries(states).map(([name, { digest, size }]) => ({
      name: `${name}.safetensors` as FileName,
      digest,
      size,
    })),
    outputs: [METRICS_FILE],
  }
}

/** Whether a comparison found two states alike; null when its file says nothing. */
export function isWithin(metrics: string): boolean | null {
  try {
    return Compared.parse(JSON.parse(metrics)).within
  } catch {
    return null
  }
}
