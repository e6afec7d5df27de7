import { FAULTS, Fault, isFaultCode } from "../../protocol/fault.ts"
import type { KeyId } from "../../protocol/keys.ts"
import type { ShardRow } from "./shard-row.ts"

/** What decides whether a shard that lost its holder is tried again. */
export interface Patience {
  attempts: number
}

/** Leases that ran out say little about the shard, yet one that silences every host must end too. */
const EPOCHS_PER_ATTEMPT = 8

export type Loss =
  | { cause: "expired" }
  | { cause: "unheld" }
  | { cause: "abandoned"; code: string; message: string }
  /** Its result was wrong, or nobody could tell. */
  | { cause: "refuted" }
  | { cause: "undecided" }

export type AfterLoss =
  | { state: "ready"; epoch: number; attempt: number }
  | { state: "failed"; epoch: number; attempt: number; reason: string }

/** The shard's next state after its holder lost or gave up the lease; the epoch fences off that holder. */
export function afterLoss(
  { label, epoch, attempt }: Pick<ShardRow, "label" | "epoch" | "attempt">,
  loss: Loss,
  { attempts }: Patience,
): AfterLoss {
  const counts = isShardsOwn(loss)
  const next = { epoch: epoch + 1, attempt: attempt + (counts ? 1 : 0) }
  if (counts && next.attempt >= attempts)
    return { state: "failed", ...next, reason: `${label} ${failures(next.attempt, loss)}` }
  if (epoch >= attempts * EPOCHS_PER_ATTEMPT)
    return { state: "failed", ...next, reason: `${label} was leased ${epoch} times and never proved` }
  return { state: "ready", ...next }
}

/** Whether a loss may lie in the shard itself. */
function isShardsOwn(loss: Loss): loss is Extract<Loss, { cause: "abandoned" | "undecided" }> {
  return loss.cause === "undecided" || (loss.cause === "abandoned" && !isHostsOwn(loss.code))
}

function failures(times: number, last: Extract<Loss, { cause: "abandoned" | "undecided" }>): string {
  if (last.cause === "abandoned") return `was abandoned ${times} times, last: ${last.code}: ${last.message}`
  return `failed ${times} times, last: no audit could tell whether its result is right`
}

/** A host that pauses, or whose disk or card is not well, says nothing about the shard. */
function isHostsOwn(code: string): boolean {
  return code === "shard-paused-too-long" || (isFaultCode(code) && FAULTS[code] === "host")
}

/** Why a lease that an agent believes to hold is not its own any more; null when it is, or when its proof has been taken. */
export function whyOver(shard: ShardRow | undefined, by: KeyId, epoch: number): string | null {
  if (!shard || epoch > shard.epoch) return "this marketplace granted no such lease"
  const isOwn = shard.epoch === epoch && shard.agent === by
  if (isOwn && shard.state !== "ready" && shard.state !== "failed") return null
  if (shard.state === "failed") return "its job is over"
  return "the lease ran out or was given back, and the shard is somebody else's"
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
