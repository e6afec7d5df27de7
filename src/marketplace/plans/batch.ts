import type { FileName, NamedBlob } from "../../protocol/digest.ts"
import type { BatchJob } from "../../protocol/job.ts"
import type { PlannedShard, Settled } from "./planned.ts"

/** Independent shards: all can run at once. */
export function planBatch(job: BatchJob, settled: Settled): PlannedShard[] {
  const { image, resources, limits, checkpoints } = job
  return job.shards
    .map((shard, index) => ({
      index,
      label: labelOf(index),
      spec: { image, ...shard, resources, limits, ...(checkpoints && { checkpoints }) },
    }))
    .filter(({ label }) => !settled.has(label))
}

/** Every output of every settled shard. */
export function resultsOfBatch(job: BatchJob, settled: Settled): NamedBlob[] {
  return job.shards.flatMap((_, index) =>
    (settled.get(labelOf(index)) ?? []).map(blob => ({ ...blob, name: resultName(index, blob.name) })),
  )
}

/** `shard-3.name`: shards may give their outputs equal names. */
export function resultName(index: number, name: FileName): FileName {
  return `${labelOf(index)}.${name}` as FileName
}

function labelOf(index: number): string {
  return `shard-${index}`
}
