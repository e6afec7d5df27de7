import type { CardReport } from "../../../protocol/capacity-report.ts"
import type { Model, Rates } from "./model.ts"
import { NVIDIA } from "./nvidia.ts"

/**
 * The most that a card could do by its maker's figures: every lane at the reference boost clock, every pin of the memory at the reference
 * rate. A board that its maker or owner clocks higher can do a little more, so a share may lie over 100 %.
 */
export interface Peak {
  /** Such as `GeForce RTX 3090`. */
  card: string
  /** Where the figures are from. */
  source: string
  /** Without matrix units, as is `fp16Flops`; a multiplication with an addition counts as two. */
  fp32Flops: number
  /** Null where no figure of the maker's is comparable. */
  fp16Flops: number | null
  /** 16-bit operands with 32-bit sums and no sparsity, by matrix units (tensor cores); null where there are none. */
  matrixFlops: number | null
  memoryBytesPerSecond: number
}

/** Null for a card that the table does not have: a name is no proof of what a card is, so none is looked at. */
export function peakOf({
  pciId,
  pciRevision,
  vramMiB,
}: Pick<CardReport, "pciId" | "pciRevision" | "vramMiB">): Peak | null {
  if (pciId === null) return null
  const names = [pciId, `${pciId}:${pciRevision}`]
  const vramGiB = vramMiB === null ? null : Math.round(vramMiB / 1024)
  for (const { source, rates, models } of NVIDIA) {
    const model = models.find(
      one => one.ids.some(id => names.includes(id)) && (one.vramGiB ?? vramGiB) === vramGiB,
    )
    if (model !== undefined) return theoretical(model, rates, source)
  }
  return null
}

/** Units times their rate times the clock; bits of the memory's bus times the rate of each. */
export function theoretical(
  { card, units, boostMhz, matrixBoostMhz, busBits, gbitPerPin }: Model,
  { fp32, fp16, matrix }: Rates,
  source: string,
): Peak {
  const flops = (rate: number, mhz: number) => units * rate * mhz * 1e6
  return {
    ...{ card, source },
    fp32Flops: flops(fp32, boostMhz),
    fp16Flops: fp16 === null ? null : flops(fp16, boostMhz),
    matrixFlops: matrix === null ? null : flops(matrix, matrixBoostMhz ?? boostMhz),
    memoryBytesPerSecond: (busBits / 8) * gbitPerPin * 1e9,
  }
}
