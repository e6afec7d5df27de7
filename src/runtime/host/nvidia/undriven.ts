import type { IdFiles } from "../drm/id-files.ts"
import { cardsOnBus } from "../drm/on-bus.ts"
import { listPciCards, type PciCard } from "../drm/pci-card.ts"
import { openSysfs } from "../drm/sysfs.ts"
import type { DetectedGpu } from "../gpu.ts"

const NVIDIA = 0x10de

/**
 * NVIDIA cards on the PCI bus that nvidia-smi does not list: without a driver, under another one, or while the driver hangs.
 * @param listed what nvidia-smi does list.
 */
export async function undrivenNvidia(
  root: string,
  listed: DetectedGpu[],
  idFiles?: IdFiles,
): Promise<DetectedGpu[]> {
  const sysfs = openSysfs(root)
  const known = new Set(listed.map(({ pciAddress }) => pciAddress))
  const cards = (await listPciCards(sysfs, NVIDIA)).filter(({ pciAddress }) => !known.has(pciAddress))
  return cardsOnBus(sysfs, cards, { vendor: "nvidia", reasonFor }, idFiles)
}

function reasonFor({ driver }: PciCard): string {
  if (driver === "vfio-pci") return "The card is handed to virtual machines (vfio-pci)."
  if (driver === "nvidia")
    return "NVIDIA's driver is loaded, but nvidia-smi does not list the card. See `nvidia-smi` and `dmesg`."
  const present = driver ? `the driver ${driver}` : "no driver"
  return `The card runs under ${present}. Install NVIDIA's own driver: https://www.nvidia.com/drivers.`
}
