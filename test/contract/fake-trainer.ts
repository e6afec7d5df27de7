import { type Digest, digestOf } from "../../src/protocol/digest.ts"
import { TrainJob } from "../../src/protocol/job.ts"
import type { MarketFrameOf } from "../../src/protocol/message.ts"
import { runLogRoot } from "../../src/protocol/run-log.ts"
import { batchJob } from "./work.ts"
import type { Run } from "./worker.ts"

type LeaseFrame = MarketFrameOf<"lease">

/** Four segments in its warm-up and in its one worker's shard. */
export const SEGMENTS = 4

export function trainJob(change: Partial<TrainJob> = {}): TrainJob {
  const { resources, limits, image } = batchJob()
  const empty = { digest: digestOf(""), size: 0 }
  return TrainJob.parse({
    ...{ kind: "train", name: "segments", image, resources, limits, pricePerShard: 1_000_000 },
    ...{ text: [empty], heldOut: empty, seed: 1, batch: 1, rounds: 1, workers: 1 },
    model: { layers: 1, width: 16, heads: 1, context: 16 },
    warmUp: { steps: SEGMENTS, learningRate: 0.1 },
    inner: { steps: SEGMENTS, learningRate: 0.1, finalLearningRate: 0.1 },
    ...{ outer: { learningRate: 1, momentum: 0 }, sample: { prompt: "", bytes: 0 } },
    audit: { kind: "spot", segments: SEGMENTS, drawn: 2 },
    ...change,
  })
}

/** How a host deviates from what the program does. */
export interface Deviation {
  /** A segment that it makes up. */
  fakes?: number
  /** The outputs are not what the last state makes. */
  fakesOutputs?: boolean
  /** It has thrown its states away. */
  hides?: boolean
  /** How its states differ from those of another machine. */
  machine?: string
  /** What it says of two states that it compares. */
  within?: boolean
}

/** What every state holds that anybody has written: an input names its digest alone. */
const WRITTEN = new Map<Digest, string>()

/** A program that computes nothing, with the command line, the inputs and the outputs of the trainer. */
export function run({ spec }: LeaseFrame, deviation: Deviation = {}): Run {
  const [, , , subcommand = "", ...flags] = spec.command.argv
  if (subcommand === "replay") return replay(spec, flags, deviation)
  if (subcommand === "finish") return { outputs: outputsOf(spec, stateIn(spec), deviation) }
  if (subcommand === "compare") return compare(deviation)
  if (spec.segments !== "kept") return { outputs: outputsOf(spec, subcommand, deviation) }
  const states = [`before ${flags.join(" ")}`]
  for (let segment = 0; segment < SEGMENTS; segment++)
    states.push(next(states[segment] as string, segment, { ...deviation, replayed: false }))
  const lines = states.slice(1).map((after, segment) => line(segment, states[segment] as string, after))
  const log = lines.join("")
  const shown = deviation.hides ? [] : states
  for (const state of states) WRITTEN.set(digestOf(state), state)
  return {
    outputs: { ...outputsOf(spec, states.at(-1) as string, deviation), "run-log.jsonl": log },
    states: new Map(shown.map(state => [digestOf(state), state])),
    runLog: runLogRoot(log),
  }
}

function replay(spec: LeaseFrame["spec"], flags: string[], deviation: Deviation): Run {
  const segment = Number(flags.at(-1)?.replace("--segment=", ""))
  const own = flags.slice(1, -1).join(" ")
  const before = segment === 0 ? `before ${own}` : stateIn(spec)
  const after = next(before, segment, { ...deviation, replayed: true })
  WRITTEN.set(digestOf(after), after)
  return { outputs: { "segment.safetensors": after, "run-log.jsonl": line(segment, before, after) } }
}

function compare({ within = true }: Deviation): Run {
  return { outputs: { "metrics.json": `${JSON.stringify({ within })}\n` } }
}

function next(
  state: string,
  segment: number,
  { fakes, machine = "", replayed }: Deviation & { replayed: boolean },
): string {
  const isFake = fakes === segment && !replayed
  return `state ${segment + 1} after ${digestOf(state)} ${isFake ? "made up" : machine}`
}

function line(segment: number, before: string, after: string): string {
  return `${JSON.stringify({ after: digestOf(after), before: digestOf(before), segment })}\n`
}

function outputsOf({ outputs }: LeaseFrame["spec"], state: string, { fakesOutputs = false }: Deviation) {
  const made = (name: string) => `${name} from ${digestOf(state)}${fakesOutputs ? " and more" : ""}`
  return Object.fromEntries(outputs.map(name => [name, name.endsWith(".json") ? "{}" : made(name)]))
}

function stateIn({ inputs }: LeaseFrame["spec"]): string {
  const digest = inputs.find(({ name }) => name === "segment.safetensors")?.digest
  const state = digest && WRITTEN.get(digest)
  if (state === undefined) throw new Error("a state that nobody has written")
  return state
}
