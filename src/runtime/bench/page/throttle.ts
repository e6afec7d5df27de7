import type { Moment } from "../../../protocol/capacity-report.ts"
import { ThrottleReason } from "../../../protocol/throttle.ts"
import { INK, LETTERS } from "./draw.ts"
import type { Panel } from "./stacked.ts"

/** Why a card is held back, in the width of an axis. */
const SHORTLY: Record<ThrottleReason, string> = {
  thermal: "heat",
  power: "power limit",
  current: "current",
  "power-brake": "power supply",
  "hardware-slowdown": "hardware",
  reliability: "voltage",
}

/** What its owner can mend; at the limits of its power and its voltage many a card works all day. */
export const GRAVE: ReadonlySet<ThrottleReason> = new Set<ThrottleReason>([
  ...(["thermal", "current", "power-brake", "hardware-slowdown"] as const),
])

const LANE_PX = 20
const BAR_PX = 10

/** A lane for each reason, with a bar while it held the card back. Null where the card does not tell, or never was. */
export function throttlePanel(timeline: readonly Moment[]): Panel | null {
  const reasons = ThrottleReason.options.filter(reason => timeline.some(isHeldBy(reason)))
  if (reasons.length === 0) return null
  return {
    title: "Held back by",
    said: reasons
      .map(reason => `${SHORTLY[reason]} ${shareHeld(timeline, one => one === reason)} %`)
      .join(", "),
    heightPx: reasons.length * LANE_PX,
    axis: {
      ...{ type: "category", inverse: true, data: reasons.map(reason => SHORTLY[reason]) },
      ...{ axisTick: { show: false }, axisLabel: LETTERS },
    },
    series: reasons.map((reason, lane) => {
      const color = GRAVE.has(reason) ? INK.orange : INK.soft
      return {
        ...{ type: "line", symbol: "none", itemStyle: { color } },
        lineStyle: { color, width: BAR_PX, cap: "butt" },
        data: spansOf(timeline, isHeldBy(reason)).flatMap(([from, to]) => [
          [from, lane],
          [to, lane],
          [to, null],
        ]),
      }
    }),
  }
}

/** Seconds from and to which something was so; a moment tells of the time since the one before. */
export function spansOf(timeline: readonly Moment[], isSo: (moment: Moment) => boolean): [number, number][] {
  const spans: [number, number][] = []
  for (const [at, moment] of timeline.entries()) {
    if (!isSo(moment)) continue
    const from = timeline[at - 1]?.second ?? 0
    const last = spans.at(-1)
    if (last?.[1] === from) last[1] = moment.second
    else spans.push([from, moment.second])
  }
  return spans
}

/** In percent of the run. */
export function shareHeld(timeline: readonly Moment[], isOne: (reason: ThrottleReason) => boolean): number {
  const spans = spansOf(timeline, ({ throttle }) => throttle?.some(isOne) ?? false)
  const held = spans.reduce((sum, [from, to]) => sum + to - from, 0)
  return Math.round((100 * held) / (timeline.at(-1)?.second || 1))
}

function isHeldBy(reason: ThrottleReason) {
  return ({ throttle }: Moment) => throttle?.includes(reason) ?? false
}
