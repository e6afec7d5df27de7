import type { Lease, LeaseId } from "../../protocol/lease.ts"
import type { Held } from "../../protocol/message.ts"
import type { Progress } from "../shard/progress.ts"
import type { ShardState } from "../shard/state.ts"

/** A shard on its road. */
export interface Work {
  state: ShardState
  progress: Progress | null
  /** Whether it waits for the end of a pause. */
  isHeld: boolean
  /** Since when it is where it is, in milliseconds of `performance.now`. */
  since: number
  /** Aborted with a fault it abandons the shard, with anything else it leaves it for the next start. */
  stop: AbortController
}

export function heldOf({ id, epoch }: Pick<Lease, "epoch"> & { id: LeaseId }): Held {
  return { lease: id, epoch }
}

export function fieldsOf({ assignment: { lease, job, shard }, berth }: ShardState) {
  return { lease: lease.id, epoch: lease.epoch, job, shard: shard.label, slot: berth.slot }
}

/** Whether the container's work is done: what is left needs no card. */
export function isDone({ step }: ShardState): boolean {
  return step !== "leased" && step !== "prepared" && step !== "running"
}

/** Whether what is left is between the proof and the marketplace, for as long as audits may take: that holds no slot. */
export function isProved({ step }: ShardState): boolean {
  return step === "proved" || step === "committed"
}
