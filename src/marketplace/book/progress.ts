import type { ShardRow } from "./shard-row.ts"

export type Step = Pick<ShardRow, "step" | "steps" | "loss">

type Target = Pick<ShardRow, "job" | "index">

/** How far the running shards are. It is not stored until a shard is settled: a restart loses only a bar's length. */
export class Progress {
  #steps = new Map<string, Step>()

  set(shard: Target, step: Step): void {
    this.#steps.set(keyOf(shard), step)
  }

  of(shard: Target): Step | undefined {
    return this.#steps.get(keyOf(shard))
  }

  forget(shard: Target): void {
    this.#steps.delete(keyOf(shard))
  }
}

function keyOf({ job, index }: Target): string {
  return `${job} ${index}`
}
