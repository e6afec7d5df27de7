import type { CapacityReport } from "../../../protocol/capacity-report.ts"
import type { DetectedGpu } from "../../host/gpu.ts"
import { identitiesOf } from "../../host/identity-of.ts"

/**
 * What has changed on the machine since it was measured, so that its figures may be others now; null while nothing has.
 * @param gpus the cards as they are now.
 */
export function whyOutdated(
  { host, cards }: CapacityReport,
  gpus: DetectedGpu[],
  kernel: string,
): string | null {
  const now = new Map(identitiesOf(gpus).map((identity, at) => [identity, gpus[at]?.driverVersion ?? null]))
  const gone = cards.find(({ identity }) => !now.has(identity))
  if (gone) return `the card ${gone.name ?? gone.identity} is not there any more`
  const come = [...now.keys()].find(identity => cards.every(card => card.identity !== identity))
  if (come !== undefined) return `the card ${come} has come`
  const other = cards.find(({ identity, driver }) => now.get(identity) !== driver)
  if (other)
    return `the driver was ${other.driver ?? "unknown"} and is ${now.get(other.identity) ?? "unknown"}`
  return host.kernel === kernel ? null : `the kernel was ${host.kernel} and is ${kernel}`
}
