import type { CardReport } from "../../../protocol/capacity-report.ts"
import type { Measurement } from "../../../protocol/measurement.ts"
import type { FigureName } from "../gpu/plan.ts"
import { type KnownBy, type Peak, peakOf } from "./peak.ts"

/** No board's clocks are so far above the reference's: the card is not what its id says, or the figure is wrong. */
export const INCREDIBLE_SHARE = 1.3

/** What each figure is held against. Copies over the bus are not: an idle card lowers its link, so its full speed is not known. */
const PEAKS: Record<FigureName, (peak: Peak) => number | null> = {
  "matmul-fp32": ({ fp32Flops }) => fp32Flops,
  "matmul-fp16": ({ fp16Flops }) => fp16Flops,
  "matmul-subgroup-f16": ({ matrixFlops }) => matrixFlops,
  "memory-copy": ({ memoryBytesPerSecond }) => memoryBytesPerSecond,
  "memory-triad": ({ memoryBytesPerSecond }) => memoryBytesPerSecond,
  "host-to-device": () => null,
  "device-to-host": () => null,
}

/** A card's figures beside what it could do at most. */
export interface CardPeak {
  identity: string
  /** Null where the table does not have the card. */
  peak: Peak | null
  /** By the figure's name: 0.71 is 71 % of the peak. */
  shares: Record<string, number>
}

export function cardPeakOf(card: CardReport): CardPeak {
  const shares = card.figures.flatMap(figure => {
    const share = shareOfPeak(figure, card)
    return share === null ? [] : [[figure.name, share] as const]
  })
  return { identity: card.identity, peak: peakOf(card), shares: Object.fromEntries(shares) }
}

/** The median as a share of the theoretical peak, over 1 where a board is faster than the reference; null where either is not known. */
export function shareOfPeak({ name, median }: Measurement, card: KnownBy): number | null {
  const peak = peakOf(card)
  const most = peak && Object.hasOwn(PEAKS, name) ? PEAKS[name as FigureName](peak) : null
  return most === null ? null : median / most
}
