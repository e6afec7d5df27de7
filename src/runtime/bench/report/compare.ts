import type { Measurement } from "../../../protocol/measurement.ts"

/** What has become of a figure since the last run. */
export interface Change {
  /** Of the median: 0.1 is a tenth more, and for a time, which is better when it is short, a tenth less. */
  gained: number
  /** Whether it got worse by more than noise explains. */
  isDrop: boolean
}

/**
 * A median that is within a tenth of the last one is the same: clocks follow temperature, and other programs come and go. Beyond that it is a
 * drop when half of the repeats of both runs lie apart: their quartiles do not overlap.
 */
const SAME_SHARE = 0.1

/** Null where the last run does not have the figure, or in another unit or by another clock. */
export function changeOf(now: Measurement, last: readonly Measurement[]): Change | null {
  const before = last.find(
    ({ name, unit, clock }) => name === now.name && unit === now.unit && clock === now.clock,
  )
  if (before === undefined || before.median === 0 || now.median === 0) return null
  const isTime = now.unit === "s"
  const gained = (isTime ? before.median / now.median : now.median / before.median) - 1
  const [better, worse] = isTime ? [now, before] : [before, now]
  const isApart = worse.upperQuartile < better.lowerQuartile
  return { gained, isDrop: gained < -SAME_SHARE && isApart }
}
