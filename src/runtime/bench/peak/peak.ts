import type { CardReport } from "../../../protocol/capacity-report.ts"
import { GEFORCE } from "./geforce.ts"
import type { Group, Model, Rates } from "./model.ts"
import { NVIDIA_SERVERS } from "./nvidia-servers.ts"
import { RADEON } from "./radeon.ts"

/**
 * The most that a card could do by its maker's figures: every lane at the reference boost clock, every line of the memory's bus at the
 * reference rate. Many boards are clocked higher than that, by their makers or owners, and cool ones boost beyond it by themselves: a share
 * may lie somewhat over 100 %.
 */
export interface Peak {
  /** Such as `GeForce RTX 3090`. */
  card: string
  /** Where the figures are from. */
  source: string
  /** Without matrix units, as is `fp16Flops`; a multiplication with an addition counts as two. */
  fp32Flops: number
  /** Null where no figure of the maker's can be held against a measured one. */
  fp16Flops: number | null
  /** 16-bit operands with 32-bit sums and no sparsity, by matrix units (tensor cores); null where there are none. */
  matrixFlops: number | null
  memoryBytesPerSecond: number
}

export const GROUPS: readonly Group[] = [...GEFORCE, ...NVIDIA_SERVERS, ...RADEON]

/** What tells one card from another: a name does not, as other silicon is sold under the same one. */
export type KnownBy = Pick<CardReport, "pciId" | "pciRevision" | "vramMiB">

/** Null for a card that is not in the table, or not certainly. */
export function peakOf(card: KnownBy): Peak | null {
  for (const { source, rates, models } of GROUPS) {
    const model = models.find(one => isModel(one, card))
    if (model !== undefined) return theoretical(model, rates, source)
  }
  return null
}

function isModel({ ids, vramGiB }: Model, { pciId, pciRevision, vramMiB }: KnownBy): boolean {
  if (pciId === null || !(ids.includes(pciId) || ids.includes(`${pciId}:${pciRevision}`))) return false
  return vramGiB === undefined || (vramMiB !== null && Math.round(vramMiB / 1024) === vramGiB)
}

/** Units times what each does in a cycle times the clock; lines of the memory's bus times the rate of each. */
function theoretical(model: Model, rates: Rates, source: string): Peak {
  const { card, units, boostMhz, matrixBoostMhz = boostMhz, memory } = model
  const [busBits, gbitPerLine] = memory
  const flops = (rate: number, mhz: number) => units * rate * mhz * 1e6
  return {
    ...{ card, source },
    fp32Flops: flops(rates.fp32, boostMhz),
    fp16Flops: rates.fp16 && flops(rates.fp16, boostMhz),
    matrixFlops: rates.matrix && flops(rates.matrix, matrixBoostMhz),
    memoryBytesPerSecond: (busBits / 8) * gbitPerLine * 1e9,
  }
}
