import type { Moment } from "../../../protocol/capacity-report.ts"
import type { ThrottleReason } from "../../../protocol/throttle.ts"
import { meanOf, merged } from "./timeline.ts"

/** What a sustained run says of a card's cooling and its power. */
export interface Sustained {
  seconds: number
  /** From 0 to 1: the share of its throughput that it lost from the start to the end, below 0 where it rose; null where it was too short to tell. */
  lost: number | null
  /** In how many of the moments that tell it, from 0 to 1, the longest first. */
  throttled: { reason: ThrottleReason; share: number }[]
  hottestC: number | null
  meanPowerW: number | null
}

/** Sums a run up; null for a card that had none. */
export function sustainedOf(timeline: readonly Moment[]): Sustained | null {
  const seconds = timeline.at(-1)?.second
  if (seconds === undefined) return null
  const { temperatureC, powerW, throttle } = merged(timeline)
  const told = timeline.flatMap(({ throttle }) => (throttle === null ? [] : [throttle]))
  const shares = (throttle ?? []).map(reason => ({
    reason,
    share: told.filter(reasons => reasons.includes(reason)).length / told.length,
  }))
  return {
    ...{ seconds, lost: lostOverTime(timeline) },
    throttled: shares.toSorted((a, b) => b.share - a.share),
    ...{ hottestC: temperatureC, meanPowerW: powerW },
  }
}

/** So many moments at either end are compared, in shares of all. */
const END_SHARE = 0.2

function lostOverTime(timeline: readonly Moment[]): number | null {
  const flops = timeline.map(moment => moment.flops).filter(value => value !== null)
  const count = Math.floor(flops.length * END_SHARE)
  const [before, after] = [meanOf(flops.slice(0, count)), meanOf(flops.slice(flops.length - count))]
  return before === null || after === null || before === 0 ? null : 1 - after / before
}
