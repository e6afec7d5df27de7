import { registryUrl } from "../../market/session.ts"
import { type Finding, failed, ok, skipped, warning } from "../check.ts"
import type { Inspection } from "../inspection.ts"

const FINE_S = 2
const TOLERABLE_S = 10

export const clock: Inspection = {
  id: "clock",
  title: "Clock",
  limitMs: 15_000,
  async look(site, signal) {
    const settings = await site.settings().catch(() => null)
    if (settings === null) return skipped("needs a registration: it is compared with the marketplace's")
    const asked = Date.now()
    const response = await fetch(`${registryUrl(settings.market.url)}/v2/`, {
      signal,
      redirect: "manual",
    }).catch(() => null)
    const answered = Date.now()
    await response?.body?.cancel()
    signal.throwIfAborted()
    if (response === null) return skipped("needs the marketplace")
    return judgeClock(response.headers.get("date"), asked, answered)
  },
}

/**
 * Compares this machine's clock with a server's by its Date header (RFC 9110, 6.6.1), which has whole seconds.
 * @param asked when the request went out, in milliseconds by this machine's clock; `answered` when its answer came.
 */
export function judgeClock(date: string | null, asked: number, answered: number): Finding {
  const whole = Date.parse(date ?? "")
  if (Number.isNaN(whole)) return skipped("the marketplace does not tell its time")
  // Its second had begun by half a second ago on average, and half of the round trip was the way there.
  const aheadS = ((asked + answered) / 2 - (whole + 500)) / 1000
  const fact = `${Math.abs(aheadS).toFixed(1)} s ${aheadS < 0 ? "behind" : "ahead of"} the marketplace's`
  if (Math.abs(aheadS) <= FINE_S) return ok(`${fact} (told to the second)`)
  const remedy = {
    remedy: "Leases and proofs carry times: let the machine set its clock by the network.",
    command: "sudo timedatectl set-ntp true",
  }
  const judge = Math.abs(aheadS) <= TOLERABLE_S ? warning : failed
  return judge(`The clock is ${fact}.`, remedy)
}
