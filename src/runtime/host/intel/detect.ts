import type { IdFiles } from "../drm/id-files.ts"
import { cardsOnBus } from "../drm/on-bus.ts"
import { listPciCards } from "../drm/pci-card.ts"
import { openSysfs } from "../drm/sysfs.ts"
import type { Detection } from "../gpu.ts"

const INTEL = 0x8086

export interface DetectIntelOptions {
  /** Where sysfs is mounted, or a recorded copy of it lies. */
  sysfs: string
  signal: AbortSignal
  idFiles?: IdFiles
}

/** Intel's GPUs, by name and place: no shard can run on them yet. */
export async function detectIntel({ sysfs: root, signal, idFiles }: DetectIntelOptions): Promise<Detection> {
  signal.throwIfAborted()
  const sysfs = openSysfs(root)
  const reasonFor = () => "No backend of zg-agent runs on Intel GPUs yet."
  const cards = await listPciCards(sysfs, INTEL)
  return { gpus: await cardsOnBus(sysfs, cards, { vendor: "intel", reasonFor }, idFiles), problems: [] }
}
