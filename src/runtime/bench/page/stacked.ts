import type { EChartsOption, LineSeriesOption, YAXisComponentOption } from "echarts"
import { INK, LETTERS, WIDTH_PX } from "./draw.ts"

/** A plot that stands above others over the same seconds. */
export interface Panel {
  title: string
  /** What it comes to, on the right of the title. */
  said: string
  heightPx: number
  axis: YAXisComponentOption
  series: readonly LineSeriesOption[]
}

const SIDES = { left: 92, right: 14 }
const [TITLE_PX, GAP_PX, FOOT_PX] = [26, 16, 44]

/** Panels one below the other. @param seconds where the axis ends that they share. */
export function stacked(
  panels: readonly Panel[],
  seconds: number,
): { option: EChartsOption; height: number } {
  const tops: number[] = []
  let foot = 0
  for (const { heightPx } of panels) {
    tops.push(foot)
    foot += TITLE_PX + heightPx + GAP_PX
  }
  const option: EChartsOption = {
    title: panels.flatMap(({ title, said }, at) => titles(title, said, tops[at] ?? 0)),
    grid: panels.map(({ heightPx }, at) => ({ ...SIDES, top: (tops[at] ?? 0) + TITLE_PX, height: heightPx })),
    xAxis: panels.map((_, at) => ({ gridIndex: at, ...secondsAxis(seconds, at === panels.length - 1) })),
    yAxis: panels.map(({ axis }, at) => ({ ...axis, gridIndex: at })),
    series: panels.flatMap(({ series }, at) =>
      series.map(one => ({ ...one, xAxisIndex: at, yAxisIndex: at })),
    ),
  }
  return { option, height: foot - GAP_PX + FOOT_PX }
}

function titles(title: string, said: string, top: number) {
  const style = { fontSize: 12, lineHeight: 16 }
  const place = { top, padding: 0 }
  return [
    { ...place, text: title, left: 0, textStyle: { ...style, color: INK.text, fontWeight: 600 as const } },
    {
      ...{ ...place, text: said, left: WIDTH_PX - SIDES.right, textAlign: "right" as const },
      textStyle: { ...style, color: INK.soft, fontWeight: 400 as const },
    },
  ]
}

/** Named and numbered below the last panel alone. */
function secondsAxis(max: number, isLast: boolean) {
  return {
    ...{ type: "value" as const, min: 0, max: Math.ceil(max) },
    ...(isLast && { name: "seconds", nameLocation: "middle" as const, nameGap: 28, nameTextStyle: LETTERS }),
    axisLine: { onZero: false, lineStyle: { color: INK.soft } },
    axisTick: { show: isLast, lineStyle: { color: INK.soft } },
    axisLabel: { ...LETTERS, show: isLast },
    splitLine: { lineStyle: { color: INK.rule } },
  }
}
