import type { CardReport, Moment } from "../../../protocol/capacity-report.ts"
import { amount } from "../report/amount.ts"
import { type Chart, INK, LETTERS } from "./draw.ts"
import { ticksAround } from "./scale.ts"
import { type Panel, stacked } from "./stacked.ts"
import { GRAVE, spansOf, throttlePanel } from "./throttle.ts"

/** What a card tells of itself over time. */
interface Channel {
  title: string
  color: string
  of: (moment: Moment) => number | null
  said: (value: number) => string
}

const CHANNELS: readonly Channel[] = [
  { title: "Throughput", color: INK.blue, of: ({ flops }) => flops, said: flops => amount(flops, "FLOP/s") },
  { title: "Core clock", color: INK.green, of: ({ coreMhz }) => coreMhz, said: whole("MHz") },
  { title: "Temperature", color: INK.vermilion, of: ({ temperatureC }) => temperatureC, said: whole("°C") },
  { title: "Power", color: INK.purple, of: ({ powerW }) => powerW, said: whole("W") },
]

const PANEL_PX = 56

/** Each channel in a panel of its own, and why the card was held back. Null where nothing was told over time. */
export function thermalsChart({ name, timeline }: Pick<CardReport, "name" | "timeline">): Chart | null {
  const channels = CHANNELS.filter(({ of }) => timeline.some(moment => of(moment) !== null))
  const last = timeline.at(-1)
  if (last === undefined || timeline.length < 2 || channels.length === 0) return null
  const throttle = throttlePanel(timeline)
  const panels = [...channels.map(channel => panelOf(channel, timeline)), ...(throttle ? [throttle] : [])]
  const { option, height } = stacked(panels, last.second)
  const heard = panels.map(({ title, said }) => `${title} ${said}`)
  return {
    label: `${name ?? "The card"} over ${Math.round(last.second)} s of work: ${heard.join("; ")}`,
    ...{ option, height },
  }
}

function panelOf({ title, color, of, said }: Channel, timeline: readonly Moment[]): Panel {
  const values = timeline.flatMap(moment => of(moment) ?? [])
  const { min, max, step } = ticksAround(values)
  const [low, high] = [said(Math.min(...values)), said(Math.max(...values))]
  const grave = spansOf(timeline, ({ throttle }) => throttle?.some(reason => GRAVE.has(reason)) ?? false)
  return {
    title,
    said: low === high ? low : `${low} to ${high}`,
    heightPx: PANEL_PX,
    axis: {
      ...{ type: "value", min, max, interval: step },
      axisLabel: { ...LETTERS, formatter: said },
      splitLine: { lineStyle: { color: INK.rule } },
    },
    series: [
      {
        ...{ type: "line", symbol: "none", lineStyle: { color, width: 2 }, itemStyle: { color } },
        data: timeline.map(moment => [moment.second, of(moment)]),
        markArea: {
          itemStyle: { color: INK.orange, opacity: 0.22 },
          data: grave.map(([from, to]) => [{ xAxis: from }, { xAxis: to }]),
        },
      },
    ],
  }
}

function whole(unit: string): (value: number) => string {
  return value => `${Math.round(value)} ${unit}`
}
