import { fits } from "../../protocol/fits.ts"
import type { DeclineReason, Slot } from "../../protocol/message.ts"
import type { Resources } from "../../protocol/shard-spec.ts"

/** What to do with an offer: run it in this slot, or say why not. */
export type Decision = { slot: Slot } | { decline: DeclineReason }

/** Takes the smallest free slot that holds the shard, so that larger ones stay free for larger shards. */
export function decide(needs: Resources, slots: readonly Slot[], busy: ReadonlySet<string>): Decision {
  const fitting = slots.filter(slot => fits(slot, needs)).sort((a, b) => a.memoryMiB - b.memoryMiB)
  if (fitting.length === 0) return { decline: "too-large" }
  const slot = fitting.find(({ id }) => !busy.has(id))
  return slot ? { slot } : { decline: "busy" }
}
