import { type DetectedGpu, UNREPORTED } from "../gpu.ts"
import { type Finding, findings } from "./health.ts"
import { migInstances } from "./mig.ts"
import { powerDraw, powerLimit } from "./power.ts"
import { capability, pciAddress, pciId, positive, quantity, uuid, words } from "./reading.ts"
import { type GpuRecord, type Node, text } from "./record.ts"

/** A card before it has its number in the list; `index` is the driver's own, where it said one. */
export type FoundCard = Omit<DetectedGpu, "index"> & { index: number | null }

/** A card of which no more is known than given. */
export function foundCard(known: Partial<FoundCard>, ...told: Finding[]): FoundCard {
  const card: FoundCard = {
    index: null,
    vendor: "nvidia",
    ...UNREPORTED,
    backends: ["cuda"],
    health: "ok",
    offerable: true,
    reasons: [],
    ...known,
  }
  return withFindings(card, told)
}

const CUT: Finding = {
  health: "degraded",
  stops: true,
  reason:
    "nvidia-smi broke off in the middle of this card's record. Run `nvidia-smi -q` to see whether it answers; if not, restart the machine.",
}

/** What one record says, and nothing that it does not say. */
export function cardOf(record: GpuRecord, driverVersion: string | null): FoundCard {
  const { root } = record
  const known: Partial<FoundCard> = {
    name: words(text(root, "product_name")),
    uuid: uuid(text(root, "uuid")),
    pciAddress: addressOf(record),
    pciId: pciId(text(root, "pci", "pci_device_id")),
    driverVersion,
    ...readings(root),
    mig: migInstances(root),
  }
  const told = findings(root, driverVersion)
  // What a cut record has not said yet tells nothing against the card.
  return foundCard(
    known,
    ...(record.complete ? told : [...told.filter(({ health }) => health !== "ok"), CUT]),
  )
}

function readings(root: Node): Partial<FoundCard> {
  return {
    vramTotalMiB: positive(text(root, "fb_memory_usage", "total"), "MIB"),
    vramUsedMiB: quantity(text(root, "fb_memory_usage", "used"), "MIB"),
    temperatureC: quantity(text(root, "temperature", "gpu_temp"), "C"),
    utilizationPct: quantity(text(root, "utilization", "gpu_util"), "%"),
    powerDrawW: powerDraw(root),
    powerLimitW: powerLimit(root),
    fanPct: quantity(text(root, "fan_speed"), "%"),
    clocksMhz: {
      core:
        quantity(text(root, "clocks", "graphics_clock"), "MHZ") ??
        quantity(text(root, "clocks", "sm_clock"), "MHZ"),
      memory: quantity(text(root, "clocks", "mem_clock"), "MHZ"),
    },
    pcie: {
      gen: quantity(text(root, "pci", "pci_gpu_link_info", "pcie_gen", "current_link_gen"), "GEN"),
      width: quantity(text(root, "pci", "pci_gpu_link_info", "link_widths", "current_link_width"), "X"),
      maxWidth: quantity(text(root, "pci", "pci_gpu_link_info", "link_widths", "max_link_width"), "X"),
    },
    computeCapability: capability(text(root, "compute_capability")) ?? capability(text(root, "compute_cap")),
  }
}

function addressOf({ id, root }: GpuRecord): string | null {
  return pciAddress(id) ?? pciAddress(text(root, "pci", "pci_bus_id"))
}

const ORDER = ["ok", "degraded", "lost"] as const

/** Adds what is told against a card; the worst state wins, and a lost card runs nothing. */
export function withFindings(card: FoundCard, told: Finding[]): FoundCard {
  const worst = Math.max(...[card.health, ...told.map(({ health }) => health)].map(h => ORDER.indexOf(h)))
  const health = ORDER[worst] ?? card.health
  return {
    ...card,
    health,
    backends: health === "lost" ? [] : card.backends,
    offerable: card.offerable && health !== "lost" && !told.some(({ stops }) => stops),
    reasons: [...new Set([...card.reasons, ...told.map(({ reason }) => reason)])],
  }
}
