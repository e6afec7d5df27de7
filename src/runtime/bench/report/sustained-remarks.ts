import type { Moment } from "../../../protocol/capacity-report.ts"
import type { ThrottleReason } from "../../../protocol/throttle.ts"
import { type Sustained, sustainedOf } from "../gpu/sustained.ts"

/** A card that loses more than this from the start to the end of a run does not stand it: less are clocks that follow a card's warming up. */
const LOST_SHARE = 0.1

/** What a sustained run came to in one line, and what to do where the card does not stand it. */
export function sustainedRemarks(timeline: readonly Moment[]): string[] {
  const sustained = sustainedOf(timeline)
  if (sustained === null) return []
  const has = (...reasons: ThrottleReason[]) =>
    sustained.throttled.some(({ reason }) => reasons.includes(reason))
  const isHot = has("thermal") || (sustained.lost ?? 0) > LOST_SHARE
  return [
    summary(sustained),
    ...(isHot
      ? ["It does not stand full load for long: clean it, give it air, or set a lower power limit."]
      : []),
    ...(has("power-brake", "hardware-slowdown")
      ? [
          "Its hardware cut its clocks, as when power is short: see that each of its sockets has a cable of its own, and whether the power supply is large enough.",
        ]
      : []),
  ]
}

/** `Sustained for 240 s; 12 % slower at its end; throttled (power in 100 %, thermal in 40 % of it); 83 °C at most, 312 W on average`. */
function summary({ seconds, lost, throttled, hottestC, meanPowerW }: Sustained): string {
  const percent = (share: number) => `${Math.max(1, Math.round(share * 100))} %`
  const reasons = throttled.map(({ reason, share }) => `${reason} in ${percent(share)}`)
  const heat = [
    ...(hottestC === null ? [] : [`${Math.round(hottestC)} °C at most`]),
    ...(meanPowerW === null ? [] : [`${Math.round(meanPowerW)} W on average`]),
  ]
  const said = [
    ...(lost === null ? [] : [lost < 0.005 ? "as fast at its end" : `${percent(lost)} slower at its end`]),
    ...(reasons.length === 0 ? [] : [`throttled (${reasons.join(", ")} of it)`]),
    ...(heat.length === 0 ? [] : [heat.join(", ")]),
  ]
  return [`Sustained for ${Math.round(seconds)} s`, ...said].join("; ")
}
