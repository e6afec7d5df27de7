import { Fault } from "../../protocol/fault.ts"
import type { KeyId } from "../../protocol/keys.ts"
import type { ShardRow } from "./shard-row.ts"

/** What decides whether a shard that lost its holder is tried again. */
export interface Patience {
  attempts: number
}

/** Leases that ran out say little about the shard, yet one that silences every host must end too. */
const EPOCHS_PER_ATTEMPT = 8

export type Loss = { cause: "expired" } | { cause: "abandoned"; code: string; message: string }

export type AfterLoss =
  | { state: "ready"; epoch: number; attempt: number }
  | { state: "failed"; epoch: number; attempt: number; reason: string }

/** The shard's next state after its holder lost or gave up the lease; the epoch fences off that holder. */
export function afterLoss(
  { label, epoch, attempt }: Pick<ShardRow, "label" | "epoch" | "attempt">,
  loss: Loss,
  { attempts }: Patience,
): AfterLoss {
  const next = { epoch: epoch + 1, attempt: attempt + (loss.cause === "abandoned" ? 1 : 0) }
  if (loss.cause === "abandoned" && next.attempt >= attempts)
    return {
      state: "failed",
      ...next,
      reason: `${label} was abandoned ${next.attempt} times, last: ${loss.code}: ${loss.message}`,
    }
  if (epoch >= attempts * EPOCHS_PER_ATTEMPT)
    return { state: "failed", ...next, reason: `${label} was leased ${epoch} times and never proved` }
  return { state: "ready", ...next }
}

/**
 * The shard, if this agent holds its lease at this epoch.
 * @throws Fault `lease-unknown` or `lease-stale`
 */
export function claimed(shard: ShardRow | undefined, by: KeyId, epoch: number, now: number): ShardRow {
  if (!shard || epoch > shard.epoch)
    throw new Fault("lease-unknown", "This marketplace granted no such lease.", {
      hint: "Check that this is the marketplace that granted it.",
    })
  const held = shard.state === "leased" && shard.agent === by && shard.epoch === epoch
  if (held && now <= (shard.notAfter ?? 0)) return shard
  throw new Fault("lease-stale", `The lease of ${shard.label} is no longer yours at epoch ${epoch}.`, {
    hint: "It ran out or its job ended: drop the shard. Renew at half of a lease's time to keep it.",
    facts: { lease: shard.lease, epoch, current: shard.epoch, state: shard.state },
  })
}
