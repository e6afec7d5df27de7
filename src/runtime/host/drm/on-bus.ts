import type { DetectedGpu } from "../gpu.ts"
import { type IdFiles, pciName, readFirst, SYSTEM_ID_FILES } from "./id-files.ts"
import type { PciCard } from "./pci-card.ts"
import { readPcieLink } from "./pcie-link.ts"
import type { Sysfs } from "./sysfs.ts"

/** Cards of which only the PCI bus tells: their name and place. `reasonFor` says why no shard runs on one. */
export async function cardsOnBus(
  sysfs: Sysfs,
  cards: PciCard[],
  { vendor, reasonFor }: { vendor: DetectedGpu["vendor"]; reasonFor: (card: PciCard) => string },
  idFiles: IdFiles = SYSTEM_ID_FILES,
): Promise<DetectedGpu[]> {
  if (cards.length === 0) return []
  const table = await readFirst(idFiles.pciIds)
  const links = await Promise.all(cards.map(card => readPcieLink(sysfs, card)))
  return cards.map((card, index) => ({
    index,
    vendor,
    name: pciName(table, card),
    uuid: null,
    pciAddress: card.pciAddress,
    vramTotalMiB: null,
    vramUsedMiB: null,
    driverVersion: null,
    temperatureC: null,
    utilizationPct: null,
    powerDrawW: null,
    powerLimitW: null,
    fanPct: null,
    clocksMhz: { core: null, memory: null },
    pcie: links[index] ?? { gen: null, width: null, maxWidth: null },
    computeCapability: null,
    gfxTarget: null,
    backends: [],
    mig: null,
    health: card.offTheBus ? ("lost" as const) : ("ok" as const),
    offerable: false,
    reasons: card.offTheBus ? [OFF_THE_BUS, reasonFor(card)] : [reasonFor(card)],
  }))
}

const OFF_THE_BUS = "The card no longer answers on the PCI bus. Check its slot and power, then restart."
