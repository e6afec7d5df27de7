import { digestOf } from "../../src/protocol/digest.ts"
import { TrainJob } from "../../src/protocol/job.ts"

export function slice(content: string) {
  return { digest: digestOf(content), size: Buffer.byteLength(content) }
}

/** A small train job over the given slices of text. */
export function trainJob(texts: string[], heldOut: string, change: Partial<TrainJob> = {}): TrainJob {
  return TrainJob.parse({
    kind: "train",
    name: "small",
    image: { name: "zg-agent/trainer", digest: digestOf("image") },
    resources: { cpus: 1.5 },
    limits: {},
    pricePerShard: 10_000,
    text: texts.map(slice),
    heldOut: slice(heldOut),
    model: { layers: 2, width: 32, heads: 4, context: 64 },
    seed: 7,
    batch: 4,
    warmUp: { steps: 20, learningRate: 0.003 },
    rounds: 2,
    workers: 2,
    inner: { steps: 5, learningRate: 0.001, finalLearningRate: 0.0001 },
    outer: { learningRate: 0.7, momentum: 0.9 },
    sample: { prompt: "--in the beginning", bytes: 100 },
    ...change,
  })
}
