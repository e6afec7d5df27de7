import { setTimeout as sleep } from "node:timers/promises"
import { Fault } from "../../protocol/fault.ts"
import type { Lease } from "../../protocol/lease.ts"
import type { Link } from "./link.ts"

/** Renewing no later than this keeps a lease even where the two ends' clocks disagree. */
const LATEST_RENEWAL_MS = 20_000
const EARLIEST_RENEWAL_MS = 200

/**
 * How long a shard goes on after its lease ran out while the marketplace cannot be reached. A marketplace that was away itself still
 * honours the lease when it comes back, so that a restart, an update or a router's trouble must not cost the work; after half an hour
 * the shard has most likely been handed on, and the owner pays for electricity that nobody will.
 */
const OFFLINE_LIMIT_MS = 30 * 60_000

/**
 * When to renew: at half of what is left, so that one lost renewal does not lose the lease. A deadline that has passed as soon as it was
 * told means that the clocks disagree; then the latest time is right, and an earlier one would only repeat itself.
 * @param leftMs what is left of the lease by this machine's clock.
 * @param isFresh whether the deadline was told just now.
 */
export function renewalPauseMs(leftMs: number, isFresh: boolean): number {
  if (leftMs <= 0) return isFresh ? LATEST_RENEWAL_MS : EARLIEST_RENEWAL_MS
  return Math.min(LATEST_RENEWAL_MS, Math.max(EARLIEST_RENEWAL_MS, leftMs / 2))
}

/**
 * Renews a lease at half of what is left of it, until the signal aborts.
 * @throws the marketplace's refusal, such as `lease-stale` when somebody else holds it now; `lease-expired` when it could not be asked
 * for longer than the limit after the lease's end.
 */
export async function keepLease(
  link: Pick<Link, "request">,
  lease: Lease,
  signal: AbortSignal,
  offlineLimitMs = OFFLINE_LIMIT_MS,
): Promise<void> {
  const renew = { type: "renew", lease: lease.id, epoch: lease.epoch } as const
  let leftMs = Date.parse(lease.notAfter) - Date.now()
  let isFresh = false
  while (!signal.aborted) {
    // A timer does not see the wall clock jump; and no lease is as long as the limit, but a clock may be wrong by more.
    const expiry = AbortSignal.timeout(Math.min(Math.max(0, leftMs), offlineLimitMs) + offlineLimitMs)
    const either = AbortSignal.any([signal, expiry])
    await sleep(renewalPauseMs(leftMs, isFresh), undefined, { signal: either }).catch(() => {})
    try {
      leftMs = Date.parse((await link.request(renew, "renewed", either)).notAfter) - Date.now()
      isFresh = true
    } catch (error) {
      if (signal.aborted) return
      throw expiry.aborted ? expired(lease, offlineLimitMs) : error
    }
  }
}

function expired({ id, epoch, notAfter }: Lease, offlineLimitMs: number): Fault {
  const minutes = Math.round(offlineLimitMs / 60_000)
  return new Fault(
    "lease-expired",
    `The lease ran out, and for ${minutes} minutes after it the marketplace could not be reached.`,
    {
      hint: "Check this machine's network; the shard may have been offered to somebody else meanwhile.",
      facts: { lease: id, epoch, notAfter },
    },
  )
}
