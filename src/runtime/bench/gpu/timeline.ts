import type { Moment } from "../../../protocol/capacity-report.ts"
import type { Sample } from "../../host/telemetry/sample.ts"
import type { Rate } from "./sustain.ts"

/** A sample stands for the moments this near to it: one and a half of telemetry's usual periods. */
const NEAR_MS = 1500

/** What a sustained run came to, with what the card told of itself at that time; null where it told nothing near enough. */
export function joinTimeline(rates: readonly Rate[], samples: readonly Sample[]): Moment[] {
  return rates.map(({ at, second, perSecond }) => {
    const sample = nearest(samples, at)
    return {
      second,
      flops: perSecond,
      coreMhz: sample?.coreMhz ?? null,
      memoryMhz: sample?.memoryMhz ?? null,
      temperatureC: sample?.temperatureC ?? null,
      powerW: sample?.powerDrawW ?? null,
      fanPct: sample?.fanPct ?? null,
      throttle: sample?.throttle ?? null,
    }
  })
}

function nearest(samples: readonly Sample[], at: number): Sample | null {
  const distance = (sample: Sample) => Math.abs(sample.at - at)
  const found = samples.reduce<Sample | null>(
    (best, sample) => (best === null || distance(sample) < distance(best) ? sample : best),
    null,
  )
  return found !== null && distance(found) <= NEAR_MS ? found : null
}

/** So many moments at either end are compared, in shares of all. */
const END_SHARE = 0.2

/** The share of its throughput that a card lost from the start to the end of a run; null for a run that was too short to tell. */
export function lostOverTime(rates: readonly Rate[]): number | null {
  const count = Math.floor(rates.length * END_SHARE)
  if (count === 0) return null
  const mean = (part: readonly Rate[]) =>
    part.reduce((sum, { perSecond }) => sum + perSecond, 0) / part.length
  const [before, after] = [mean(rates.slice(0, count)), mean(rates.slice(-count))]
  return before === 0 ? null : 1 - after / before
}
