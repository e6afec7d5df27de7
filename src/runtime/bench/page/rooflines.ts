import type { CapacityReport, CardReport } from "../../../protocol/capacity-report.ts"
import type { Measurement } from "../../../protocol/measurement.ts"
import { type Peak, peakOf } from "../peak/peak.ts"
import { INK } from "./draw.ts"

/** The fastest that something computes. */
export interface Roof {
  name: string
  look: Look
  flops: number
  /** In theory; null where that is not known. */
  peakFlops: number | null
}

/**
 * What limits a program by how much it computes with each byte that it moves (Williams, Waterman and Patterson, "Roofline: An Insightful
 * Visual Performance Model for Multicore Architectures", 2009): the memory before its edge, a roof beyond.
 */
export interface Roofline {
  /** Whose it is. */
  of: string
  bytesPerSecond: number
  peakBytesPerSecond: number | null
  /** At least one. */
  roofs: readonly Roof[]
}

/** A roof's colour, and the sign at its edge, so that nobody has to tell colours apart. */
export interface Look {
  color: string
  symbol: "circle" | "triangle" | "rect"
}

export const LOOKS = {
  plain: { color: INK.blue, symbol: "circle" },
  half: { color: INK.vermilion, symbol: "triangle" },
  matrix: { color: INK.purple, symbol: "rect" },
} as const satisfies Record<string, Look>

interface Wanted {
  figure: string
  name: string
  look: Look
  peak?: (peak: Peak) => number | null
}

const OF_CARD: readonly Wanted[] = [
  { figure: "matmul-fp32", name: "FP32", look: LOOKS.plain, peak: one => one.fp32Flops },
  { figure: "matmul-fp16", name: "FP16", look: LOOKS.half, peak: one => one.fp16Flops },
  {
    figure: "matmul-subgroup-f16",
    name: "FP16 on matrix units",
    look: LOOKS.matrix,
    peak: one => one.matrixFlops,
  },
]
const OF_HOST: readonly Wanted[] = [
  { figure: "cpu-matmul-fp32-wasm-all-cores", name: "FP32, all cores", look: LOOKS.plain },
  { figure: "cpu-matmul-fp32-wasm-one-core", name: "FP32, one core", look: LOOKS.half },
]

/** From what was measured of a card. Null where its memory or every product is unmeasured. */
export function cardRoofline(card: CardReport): Roofline | null {
  const memories = ["memory-copy", "memory-triad"]
  return rooflineOf(card.name ?? "the card", card.figures, OF_CARD, memories, peakOf(card))
}

export function hostRoofline({ cpu, figures }: CapacityReport["host"]): Roofline | null {
  const memories = ["memory-copy-all-threads", "memory-triad-all-threads"]
  return rooflineOf(cpu, figures, OF_HOST, memories, null)
}

function rooflineOf(
  of: string,
  figures: readonly Measurement[],
  wanted: readonly Wanted[],
  memories: readonly string[],
  peak: Peak | null,
): Roofline | null {
  const medianOf = (figure: string) => figures.find(({ name }) => name === figure)?.median ?? 0
  const roofs = wanted.flatMap(({ figure, name, look, peak: peakOfRoof }): Roof[] => {
    const flops = medianOf(figure)
    return flops === 0 ? [] : [{ name, look, flops, peakFlops: (peak && peakOfRoof?.(peak)) ?? null }]
  })
  const bytesPerSecond = Math.max(...memories.map(medianOf))
  if (roofs.length === 0 || bytesPerSecond === 0) return null
  return { of, bytesPerSecond, peakBytesPerSecond: peak?.memoryBytesPerSecond ?? null, roofs }
}

/** Where the memory stops to be the limit, in FLOP for each byte. */
export function edgeOf({ bytesPerSecond }: Pick<Roofline, "bytesPerSecond">, { flops }: Pick<Roof, "flops">) {
  return flops / bytesPerSecond
}
