import { type DetectedGpu, UNREPORTED } from "../gpu.ts"
import { type IdFiles, pciName, readFirst, SYSTEM_ID_FILES } from "./id-files.ts"
import type { PciCard } from "./pci-card.ts"
import { pciIdOf, pciRevisionOf } from "./pci-id.ts"
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
    ...UNREPORTED,
    index,
    vendor,
    name: pciName(table, card),
    pciAddress: card.pciAddress,
    pciId: pciIdOf(card.vendor, card.device),
    pciRevision: pciRevisionOf(card.revision),
    pcie: links[index] ?? UNREPORTED.pcie,
    backends: [],
    health: card.offTheBus ? ("lost" as const) : ("ok" as const),
    offerable: false,
    reasons: card.offTheBus ? [OFF_THE_BUS, reasonFor(card)] : [reasonFor(card)],
  }))
}

const OFF_THE_BUS = "The card no longer answers on the PCI bus. Check its slot and power, then restart."
