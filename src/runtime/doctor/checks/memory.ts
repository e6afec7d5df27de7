import os from "node:os"
import { type Finding, ok, together, warning } from "../check.ts"
import type { Inspection } from "../inspection.ts"

const GIB = 2 ** 30
const MIB_PER_GIB = 1024

export interface Memory {
  ramBytes: number
  cpus: number
  /** VRAM of each card that can run shards, in MiB; null where it does not tell. */
  vramMiB: readonly (number | null)[]
}

export const memory: Inspection = {
  id: "memory",
  title: "Memory and cores",
  async look(site) {
    const { gpus } = await site.detection()
    return judgeMemory({
      ramBytes: os.totalmem(),
      cpus: os.availableParallelism(),
      vramMiB: gpus.filter(({ offerable }) => offerable).map(({ vramTotalMiB }) => vramTotalMiB),
    })
  },
}

/** Shards load their parameters through RAM, and feed each card from at least one core. */
export function judgeMemory({ ramBytes, cpus, vramMiB }: Memory): Finding {
  const ram = (ramBytes / GIB).toFixed(1)
  const cards = vramMiB.length
  const vram = vramMiB.reduce<number>((sum, one) => sum + (one ?? 0), 0) / MIB_PER_GIB
  const fact = `${ram} GiB of RAM, ${cpus} cores${cards === 0 ? "" : `; ${vram.toFixed(1)} GiB of VRAM on ${cards} GPU${cards === 1 ? "" : "s"}`}`
  const troubles: Finding[] = []
  if (cards > 0 && ramBytes / GIB < vram) {
    troubles.push(
      warning(fact, {
        remedy:
          "There is less RAM than VRAM: shards that ask for much of both will not fit. Give fewer cards to shards at once, or add RAM.",
      }),
    )
  }
  if (cpus < cards) {
    const remedy = "There are fewer cores than cards: shards with much input wait for the processor."
    troubles.push(warning(fact, { remedy }))
  }
  return troubles.length === 0 ? ok(fact) : together(troubles)
}
