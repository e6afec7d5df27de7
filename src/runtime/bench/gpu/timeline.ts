import type { Moment } from "../../../protocol/capacity-report.ts"
import { ThrottleReason } from "../../../protocol/throttle.ts"
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

/**
 * At most so many moments: neighbours become one, in groups of nearly the same size. A group is as fast and as thirsty as its mean, which keeps
 * the whole run's, and as hot and as throttled as its worst, so that no peak is lost.
 */
export function thinned(timeline: readonly Moment[], most: number): Moment[] {
  if (timeline.length <= most) return [...timeline]
  const begin = (group: number) => Math.floor((group * timeline.length) / most)
  return Array.from({ length: most }, (_, group) => merged(timeline.slice(begin(group), begin(group + 1))))
}

/** One moment for a group of them, of which there is one at least. */
export function merged(group: readonly Moment[]): Moment {
  const known = (of: Exclude<keyof Moment, "throttle">) =>
    group.map(moment => moment[of]).filter(value => value !== null)
  const mean = (of: "flops" | "coreMhz" | "memoryMhz" | "powerW") => meanOf(known(of))
  const highest = (of: "temperatureC" | "fanPct") => (known(of).length === 0 ? null : Math.max(...known(of)))
  return {
    second: Math.max(...known("second")),
    ...{ flops: mean("flops"), coreMhz: mean("coreMhz"), memoryMhz: mean("memoryMhz") },
    ...{ temperatureC: highest("temperatureC"), powerW: mean("powerW"), fanPct: highest("fanPct") },
    throttle: reasonsOf(group),
  }
}

/** Null where none is known. */
export function meanOf(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length
}

/** Each reason that any of them has; null where none tells. */
function reasonsOf(moments: readonly Moment[]): Moment["throttle"] {
  const told = moments.flatMap(({ throttle }) => (throttle === null ? [] : [throttle]))
  return told.length === 0 ? null : ThrottleReason.options.filter(reason => told.flat().includes(reason))
}
