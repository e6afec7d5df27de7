import { createHash } from "node:crypto"
import type { Digest } from "../../../protocol/digest.ts"
import { type Device, ShardSpec } from "../../../protocol/shard-spec.ts"
import type { Rules } from "../../host/rules/rules.ts"

/** What the trainer is to do, the same wherever it is done: a model of this shape, so many windows a step. */
export interface Workload {
  /** Of the figures: the same name means the same work. */
  name: string
  model: { layers: number; width: number; heads: number; context: number }
  batch: number
}

/** A million parameters are work enough for a CPU; a card needs more to be busy, within 2 GiB of its memory. */
const WORKLOADS = {
  cpu: { name: "trainer-1m", model: { layers: 5, width: 128, heads: 4, context: 128 }, batch: 8 },
  gpu: { name: "trainer-25m", model: { layers: 8, width: 512, heads: 8, context: 256 }, batch: 16 },
} as const satisfies Record<string, Workload>

export function workloadFor(device: Device): Workload {
  return device === "cpu" ? WORKLOADS.cpu : WORKLOADS.gpu
}

/** A token is a byte that is predicted. */
export function tokensPerStep({ model, batch }: Workload): number {
  return model.context * batch
}

/** The part of the machine behind a slot. */
export interface Share {
  cpus: number
  memoryMiB: number
  vramMiB: number
}

/** The input's name; the trainer takes all that begin with `text-`. */
export const TEXT_NAME = "text-0"
/** More than it can do in any time that it is given. */
const STEPS = 1_000_000
const SEED = 1
const LIMITS = { pids: 128, openFiles: 1024, tmpMiB: 64, shmMiB: 64, outMiB: 8, checkpointMiB: 8, logMiB: 4 }

export interface WorkShard {
  workload: Workload
  device: Device
  /** The image's id. */
  image: Digest
  share: Share
  text: { digest: Digest; size: number }
  /** How long it may run, in milliseconds. */
  timeMs: number
  /** The owner's limits hold for this shard as for any other. */
  rules: Pick<Rules, "limits">
}

/** The workload as a shard like any other. */
export function workSpec(shard: WorkShard): ShardSpec {
  const { workload, device, image, share, text, timeMs, rules } = shard
  const limits = Object.entries(LIMITS).map(([name, value]) => {
    return [name, Math.min(value, rules.limits[name as keyof typeof LIMITS])] as const
  })
  return ShardSpec.parse({
    image: { name: "zg-agent/trainer", digest: image },
    command: { argv: argvOf(workload, device, share) },
    inputs: [{ name: TEXT_NAME, ...text }],
    outputs: ["metrics.json"],
    resources: { device, ...share },
    limits: { ...Object.fromEntries(limits), timeMs },
  })
}

function argvOf({ model, batch }: Workload, device: Device, { cpus }: Share): string[] {
  const flags = {
    ...{ steps: STEPS, batch, ...model, seed: SEED },
    threads: Math.max(1, Math.floor(cpus)),
    // PyTorch calls AMD's ROCm devices cuda, too.
    device: device === "cpu" ? "cpu" : "cuda",
  }
  return [
    "python3",
    "-m",
    "trainer",
    "warm-up",
    ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
  ]
}

const TEXT_BYTES = 256 << 10
const WORDS =
  "the miner and her card went over the hill to a river that never slept while old fans sang of snow and bread".split(
    " ",
  )

/** A text that is the same everywhere, and that a model can learn something from: words drawn by a hash of their place. */
export function workText(): Buffer {
  const words: string[] = []
  let length = 0
  for (let block = 0; length < TEXT_BYTES; block++)
    for (const byte of createHash("sha256").update(`zg-agent bench ${block}`).digest()) {
      const word = WORDS[byte % WORDS.length] ?? ""
      words.push(word)
      length += word.length + 1
    }
  return Buffer.from(words.join(" ")).subarray(0, TEXT_BYTES)
}
