import type { Slot } from "./message.ts"
import type { Resources } from "./shard-spec.ts"

/** Whether a slot has what a shard needs: the marketplace asks before an offer, the agent before it accepts. */
export function fits(slot: Slot, need: Resources): boolean {
  return (
    slot.device === need.device &&
    slot.cpus >= need.cpus &&
    slot.memoryMiB >= need.memoryMiB &&
    slot.vramMiB >= need.vramMiB
  )
}
