import { migUuid, type SliceIdentity } from "./mig.ts"
import { capability, count, type Printed, pciAddress, uuid, words } from "./reading.ts"

/** What identifies a card; any of it may be missing. */
export interface CardIdentity {
  index: number | null
  uuid: string | null
  pciAddress: string | null
  name: string | null
  computeCapability: string | null
  slices: SliceIdentity[]
}

const CARD = /^\s*GPU\s+(\d{1,3}):\s+(.*?)\s*\(UUID:\s*([^)]*)\)/
const SLICE = /^\s*MIG\s+(\S+)\s+Device\s+(\d{1,3}):\s*\(UUID:\s*([^)]*)\)/

/** Reads `nvidia-smi -L`, the only command that names MIG slices. Lines of another kind are passed over. */
export function parseListing(output: string): CardIdentity[] {
  const cards: CardIdentity[] = []
  for (const line of output.split("\n")) {
    const slice = line.match(SLICE)
    const card = line.match(CARD)
    if (slice) {
      const [, profile = "", place = "", id = ""] = slice
      cards.at(-1)?.slices.push({ place: Number(place), profile, uuid: migUuid(id) })
    } else if (card) {
      const [, index = null, name = null, id = null] = card
      cards.push(identity(index, id, null, name, null))
    }
  }
  return cards
}

/** The fields of {@link parseTable}, in its order. */
export const TABLE_FIELDS = "index,uuid,pci.bus_id,name,compute_cap"

/**
 * Reads `--query-gpu` with {@link TABLE_FIELDS} as `csv,noheader`. Error lines between the rows are passed over, and so
 * is a driver's refusal of a field that it does not know.
 */
export function parseTable(output: string): CardIdentity[] {
  return output.split("\n").flatMap(line => {
    const cells = line.split(",").map(cell => cell.trim())
    if (cells.length < 5 || pciAddress(cells[2] ?? null) === null) return []
    const [index = null, id = null, address = null] = cells
    return [identity(index, id, address, cells.slice(3, -1).join(", "), cells.at(-1) ?? null)]
  })
}

function identity(index: Printed, id: Printed, address: Printed, name: Printed, cap: Printed): CardIdentity {
  return {
    index: count(index),
    uuid: uuid(id),
    pciAddress: pciAddress(address),
    name: words(name),
    computeCapability: capability(cap),
    slices: [],
  }
}

type Named = Pick<CardIdentity, "index" | "uuid" | "pciAddress">

/** Whether two descriptions mean one card: by PCI address, else the driver's number, else UUID (which may repeat). */
export function isSameCard(a: Named, b: Named): boolean {
  if (a.pciAddress !== null && b.pciAddress !== null) return a.pciAddress === b.pciAddress
  if (a.index !== null && b.index !== null) return a.index === b.index
  return a.uuid !== null && a.uuid === b.uuid
}
