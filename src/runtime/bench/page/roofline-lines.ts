import { INK } from "./draw.ts"
import type { Roofline } from "./rooflines.ts"
import type { Extent } from "./scale.ts"

/** What all dashed lines are called. */
export const PEAKS = "theoretical peak"
const [MEASURED_PX, PEAK_PX] = [2.5, 1.2]

export function memoryLine({ bytesPerSecond, roofs }: Roofline, x: Extent) {
  const data = slope(bytesPerSecond, Math.max(...roofs.map(({ flops }) => flops)), x)
  return { ...line(data), ...inked(INK.text, MEASURED_PX) }
}

export function measuredLines({ bytesPerSecond, roofs }: Roofline, x: Extent) {
  return roofs.map(({ name, flops, look: { color, symbol } }) => {
    const end = { value: [x.max, flops], symbol: "none" }
    const data = [[flops / bytesPerSecond, flops], end]
    return { ...line(data), name, symbol, symbolSize: 9, ...inked(color, MEASURED_PX) }
  })
}

export function peakLines({ peakBytesPerSecond: bytesPerSecond, roofs }: Roofline, x: Extent) {
  if (bytesPerSecond === null) return []
  const known = roofs.flatMap(({ peakFlops, look }) => (peakFlops === null ? [] : [{ peakFlops, look }]))
  const highest = Math.max(...known.map(({ peakFlops }) => peakFlops), ...roofs.map(({ flops }) => flops))
  const tops = known.map(({ peakFlops, look }) => {
    const edge = [peakFlops / bytesPerSecond, peakFlops]
    return { ...line([edge, [x.max, peakFlops]]), ...inked(look.color, PEAK_PX, "dashed") }
  })
  const data = slope(bytesPerSecond, highest, x)
  return [...tops, { ...line(data), name: PEAKS, ...inked(INK.text, PEAK_PX, "dashed") }]
}

/** The memory's limit up to a roof. */
function slope(bytesPerSecond: number, flops: number, x: Extent): number[][] {
  return [
    [x.min, x.min * bytesPerSecond],
    [flops / bytesPerSecond, flops],
  ]
}

function line(data: (number[] | { value: number[]; symbol: string })[]) {
  return { type: "line" as const, symbol: "none", data }
}

function inked(color: string, width: number, type: "solid" | "dashed" = "solid") {
  return { itemStyle: { color }, lineStyle: { color, width, type } }
}
