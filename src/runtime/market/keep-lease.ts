import { setTimeout as sleep } from "node:timers/promises"
import type { Lease } from "../../protocol/lease.ts"
import type { Link } from "./link.ts"

/** Renewing no later than this keeps a lease even where the two ends' clocks disagree. */
const LATEST_RENEWAL_MS = 20_000
const EARLIEST_RENEWAL_MS = 200

/**
 * Renews a lease at half of what is left of it, until the signal aborts: one lost renewal must not lose the lease.
 * @throws the marketplace's refusal, such as `lease-stale` when somebody else holds it now.
 */
export async function keepLease(link: Link, lease: Lease, signal: AbortSignal): Promise<void> {
  let notAfter = lease.notAfter
  while (!signal.aborted) {
    const left = Date.parse(notAfter) - Date.now()
    const pauseMs = Math.min(LATEST_RENEWAL_MS, Math.max(EARLIEST_RENEWAL_MS, left / 2))
    await sleep(pauseMs, undefined, { signal }).catch(() => {})
    if (signal.aborted) return
    try {
      const renew = { type: "renew", lease: lease.id, epoch: lease.epoch } as const
      notAfter = (await link.request(renew, "renewed", signal)).notAfter
    } catch (error) {
      if (signal.aborted) return
      throw error
    }
  }
}
