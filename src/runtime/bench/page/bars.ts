import type { BarSeriesOption, CustomSeriesOption, YAXisComponentOption } from "echarts"
import type { CardReport } from "../../../protocol/capacity-report.ts"
import type { Measurement } from "../../../protocol/measurement.ts"
import { amount } from "../report/amount.ts"
import { across, type Row } from "./across.ts"
import { type Chart, INK, LETTERS } from "./draw.ts"
import { numbered, titleOf } from "./titles.ts"

const BOX = { left: 112, right: 138, top: 2, bottom: 2 }
const [BAR_PX, BETWEEN_PX, ROW_PX] = [9, 4, 12]

/** A figure of each card: filled alone, and hollow with all at work at once where that was measured. Null where no card has it. */
export function barsChart(cards: readonly CardReport[], figure: string): Chart | null {
  const rows = across(cards, figure)
  const all = rows.flatMap(({ alone, together }) => [alone, together]).filter(one => one !== null)
  if (all.length === 0) return null
  const kinds = rows.some(({ together }) => together !== null) ? ([ALONE, TOGETHER] as const) : [ALONE]
  const names = cards.map((card, at) => `${numbered(card, at)}${card.state === "degraded" ? " ✖" : ""}`)
  const bandPx = kinds.length * (BAR_PX + BETWEEN_PX)
  return {
    label: `${titleOf(figure)}: ${rows.map((row, at) => `${names[at]} ${heard(row)}`).join("; ")}`,
    height: BOX.top + BOX.bottom + rows.length * (bandPx + ROW_PX),
    option: {
      grid: BOX,
      xAxis: { type: "value", min: 0, max: Math.max(...all.map(one => one.upperQuartile)), show: false },
      yAxis: [namesAxis(names), figuresAxis(rows, kinds.length > 1)],
      series: kinds.flatMap((kind, at) => {
        const offsetPx = (at - (kinds.length - 1) / 2) * (BAR_PX + BETWEEN_PX)
        return [bars(rows, kind), whiskers(rows.map(kind.of), offsetPx)]
      }),
    },
  }
}

interface Kind {
  of: (row: Row) => Measurement | null
  fill: (color: string) => string
}

const ALONE: Kind = { of: ({ alone }) => alone, fill: color => color }
const TOGETHER: Kind = { of: ({ together }) => together, fill: () => "none" }

function bars(rows: readonly Row[], { of, fill }: Kind): BarSeriesOption {
  return {
    ...{ type: "bar", barWidth: BAR_PX, barGap: `${(100 * BETWEEN_PX) / BAR_PX}%` },
    data: rows.map(row => {
      const color = row.lack === null ? INK.blue : INK.vermilion
      return {
        value: of(row)?.median ?? null,
        itemStyle: { color: fill(color), borderColor: color, borderWidth: 1.5 },
      }
    }),
  }
}

/** From quartile to quartile: half of the repeats lie between. */
function whiskers(figures: readonly (Measurement | null)[], offsetPx: number): CustomSeriesOption {
  return {
    ...{ type: "custom", z: 3, encode: { x: [0, 1], y: 2 } },
    data: figures.flatMap((one, row) => (one === null ? [] : [[one.lowerQuartile, one.upperQuartile, row]])),
    renderItem: (_, api) => {
      const [left = 0, middle = 0] = api.coord([api.value(0), api.value(2)])
      const [right = 0] = api.coord([api.value(1), api.value(2)])
      const y = middle + offsetPx
      const style = { stroke: INK.text, lineWidth: 1.2 }
      const stroke = (x1: number, y1: number, x2: number, y2: number) => {
        return { type: "line" as const, shape: { x1, y1, x2, y2 }, style }
      }
      const ends = [left, right].map(x => stroke(x, y - 3, x, y + 3))
      return { type: "group", children: [stroke(left, y, right, y), ...ends] }
    },
  }
}

function namesAxis(names: readonly string[]): YAXisComponentOption {
  return {
    ...{ type: "category", inverse: true, data: [...names], axisTick: { show: false } },
    axisLine: { lineStyle: { color: INK.soft } },
    axisLabel: { ...LETTERS, color: INK.text, width: BOX.left - 12, overflow: "truncate", interval: 0 },
  }
}

/** The figures beside their bars. */
function figuresAxis(rows: readonly Row[], hasBoth: boolean): YAXisComponentOption {
  const said = (one: Measurement | null) => (one === null ? "not measured" : amount(one.median, one.unit))
  const lines = rows.map(({ alone, together, lack }) => {
    const less = lack === null ? "" : `{less|  ▼ ${Math.round(100 * lack)} %}`
    return `{alone|${said(alone)}}${less}${hasBoth && together !== null ? `\n{together|${said(together)}}` : ""}`
  })
  const [alone, together] = [{ color: INK.text, fontSize: 12 }, LETTERS]
  const less = { color: INK.vermilion, fontSize: 12, fontWeight: 600 as const }
  return {
    ...{ type: "category", inverse: true, data: lines, axisTick: { show: false }, axisLine: { show: false } },
    axisLabel: { interval: 0, lineHeight: BAR_PX + BETWEEN_PX, rich: { alone, together, less } },
  }
}

function heard({ alone, together, lack }: Row): string {
  if (alone === null) return "not measured"
  const less = lack === null ? "" : `, ${Math.round(100 * lack)} % less than the others`
  const all = together === null ? "" : `, all at once ${amount(together.median, together.unit)}`
  return `${amount(alone.median, alone.unit)}${less}${all}`
}
