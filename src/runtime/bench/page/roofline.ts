import { amount } from "../report/amount.ts"
import { type Chart, FONT, INK, LETTERS, WIDTH_PX } from "./draw.ts"
import { measuredLines, memoryLine, PEAKS, peakLines } from "./roofline-lines.ts"
import { edgeOf, type Roof, type Roofline } from "./rooflines.ts"
import { decadesAround, type Extent } from "./scale.ts"

const HEIGHT_PX = 390
const BOX = { left: 78, right: 14, top: 12, bottom: 46 }
const PLOT = { width: WIDTH_PX - BOX.left - BOX.right, height: HEIGHT_PX - BOX.top - BOX.bottom }
/** A roof goes on so many times beyond the last edge, and the memory so many times before the first. */
const BEYOND = 8

/** Memory and roofs over logarithmic axes; who does not see it hears the figures. */
export function rooflineChart(roofline: Roofline): Chart {
  const roofs = roofline.roofs.toSorted((a, b) => b.flops - a.flops)
  const { x, y } = extents(roofline)
  return {
    label: inWords(roofline),
    height: HEIGHT_PX,
    option: {
      grid: BOX,
      xAxis: { ...axis(x, String), name: "FLOP for each byte moved", nameLocation: "middle", nameGap: 30 },
      yAxis: axis(y, flops => amount(flops, "FLOP/s")),
      legend: key(roofs, roofline.peakBytesPerSecond !== null),
      series: [...peakLines(roofline, x), memoryLine(roofline, x), ...measuredLines(roofline, x)],
      graphic: memoryLabel(roofline, x, y),
    },
  }
}

function extents(roofline: Roofline): { x: Extent; y: Extent } {
  const { bytesPerSecond, roofs } = roofline
  const edges = roofs.map(roof => edgeOf(roofline, roof))
  const x = decadesAround([Math.min(...edges) / BEYOND, Math.max(...edges) * BEYOND])
  const all = roofs.flatMap(({ flops, peakFlops }) => [flops, peakFlops ?? flops])
  return { x, y: decadesAround([x.min * bytesPerSecond, Math.max(...all) * 1.2]) }
}

function axis({ min, max }: Extent, said: (value: number) => string) {
  return {
    ...{ type: "log" as const, min, max },
    axisLine: { lineStyle: { color: INK.soft } },
    axisTick: { show: false },
    axisLabel: { ...LETTERS, formatter: said },
    nameTextStyle: LETTERS,
    splitLine: { lineStyle: { color: INK.rule } },
  }
}

/** Along the line, in the middle before the first edge, on the side where its peak is not. */
function memoryLabel(roofline: Roofline, x: Extent, y: Extent) {
  const { bytesPerSecond, roofs } = roofline
  const middle = Math.sqrt(x.min * Math.min(...roofs.map(roof => edgeOf(roofline, roof))))
  const steep = (PLOT.height * Math.log(x.max / x.min)) / (PLOT.width * Math.log(y.max / y.min))
  const up = PLOT.height * shareOf(middle * bytesPerSecond, y)
  return {
    type: "text" as const,
    ...{ x: BOX.left + PLOT.width * shareOf(middle, x), y: BOX.top + PLOT.height - up },
    rotation: Math.atan(steep),
    style: {
      ...{ text: `memory ${amount(bytesPerSecond, "B/s")}`, fill: INK.text, font: `600 12px ${FONT}` },
      ...{ align: "center" as const, verticalAlign: "top" as const, y: 6 },
    },
  }
}

/** The share of an axis before a value. */
function shareOf(value: number, { min, max }: Extent): number {
  return Math.log(value / min) / Math.log(max / min)
}

/** In the corner that no line comes to. */
function key(roofs: readonly Roof[], hasPeaks: boolean) {
  const said = new Map(roofs.map(({ name, flops }) => [name, `${name}, ${amount(flops, "FLOP/s")}`]))
  return {
    ...{ orient: "vertical" as const, align: "right" as const, itemGap: 5, padding: 0 },
    ...{ right: BOX.right + 8, bottom: BOX.bottom + 8 },
    data: [...said.keys(), ...(hasPeaks ? [{ name: PEAKS, itemStyle: { opacity: 0 } }] : [])],
    formatter: (name: string) => said.get(name) ?? name,
    textStyle: { color: INK.text, fontSize: 12 },
  }
}

function inWords({ of, bytesPerSecond, roofs }: Roofline): string {
  const tops = roofs.map(({ name, flops }) => `${name} ${amount(flops, "FLOP/s")}`)
  return `Roofline of ${of}: memory ${amount(bytesPerSecond, "B/s")}, ${tops.join(", ")}`
}
