import type { DetectedGpu } from "./gpu.ts"

/**
 * The name by which each card is known from one run to the next: its UUID where that is real and its alone, else its place on the
 * PCI bus, else its number in the list.
 */
export function identitiesOf(gpus: DetectedGpu[]): string[] {
  const uuids = gpus.map(({ uuid }) => (uuid !== null && isReal(uuid) ? uuid : null))
  const places = gpus.map(({ pciAddress }) => pciAddress)
  const alone = (values: (string | null)[], value: string | null) =>
    value !== null && values.filter(other => other?.toLowerCase() === value.toLowerCase()).length === 1
  return gpus.map(({ index, pciAddress }, at) => {
    const uuid = uuids[at] ?? null
    if (uuid !== null && alone(uuids, uuid)) return uuid
    return alone(places, pciAddress) ? `pci:${pciAddress}` : `index:${index}`
  })
}

/** Masked UUIDs are one digit over and over (`GPU-00000000-…`, `GPU-XXXX…`), or words such as N/A. */
function isReal(uuid: string): boolean {
  const digits = uuid
    .replace(/^(?:GPU|MIG)-/i, "")
    .replaceAll("-", "")
    .toLowerCase()
  return /^(?:0x)?[0-9a-f]{8,}$/.test(digits) && new Set(digits.replace(/^0x/, "")).size > 1
}

/** A card as it was remembered. */
export interface InventoryCard {
  identity: string
  pciAddress: string | null
  name: string | null
  vramTotalMiB: number | null
}

export type Change =
  | { kind: "added"; now: InventoryCard }
  | { kind: "removed"; before: InventoryCard }
  | { kind: "moved"; before: InventoryCard; now: InventoryCard }
  | { kind: "replaced"; before: InventoryCard; now: InventoryCard }

/** The same card under another driver may show a little less memory; a card with this much more or less is another one. */
const VRAM_TOLERANCE = 0.1

/**
 * What has changed between two runs. A card is known again by its identity; cards that have only a place may have been swapped,
 * which their name and memory tell. The order of the cards is no change, and no change is a reason to lock anything out.
 */
export function compareInventory(before: InventoryCard[], now: InventoryCard[]): Change[] {
  const earlier = new Map(before.map(card => [card.identity, card]))
  const later = new Map(now.map(card => [card.identity, card]))
  const kept = [...later.values()].flatMap(card => keptChange(earlier.get(card.identity), card))
  const gone = [...earlier.values()].filter(card => !later.has(card.identity))
  const come = [...later.values()].filter(card => !earlier.has(card.identity))
  const pairs = gone.flatMap(old => {
    const here = come.find(card => old.pciAddress !== null && card.pciAddress === old.pciAddress)
    return here === undefined ? [] : [{ before: old, now: here }]
  })
  const swapped = new Set(pairs.flatMap(pair => [pair.before, pair.now]))
  return [
    ...kept,
    // A driver that begins or ceases to tell the UUID renames a card; the card in its place stays the same.
    ...pairs.filter(isOtherCard).map(pair => ({ kind: "replaced" as const, ...pair })),
    ...gone.filter(card => !swapped.has(card)).map(card => ({ kind: "removed" as const, before: card })),
    ...come.filter(card => !swapped.has(card)).map(card => ({ kind: "added" as const, now: card })),
  ]
}

function keptChange(before: InventoryCard | undefined, now: InventoryCard): Change[] {
  if (before === undefined) return []
  // A UUID is the card itself, whatever a newer driver calls it.
  if (!hasUuid(now) && !looksAlike(before, now)) return [{ kind: "replaced", before, now }]
  const moved = before.pciAddress !== null && now.pciAddress !== null && before.pciAddress !== now.pciAddress
  return moved ? [{ kind: "moved", before, now }] : []
}

function isOtherCard({ before, now }: { before: InventoryCard; now: InventoryCard }): boolean {
  const bothHaveUuids = hasUuid(before) && hasUuid(now)
  return bothHaveUuids || !looksAlike(before, now)
}

function hasUuid({ identity }: InventoryCard): boolean {
  return !/^(?:pci|index):/.test(identity)
}

/** What is not known on one side is no difference. */
function looksAlike(a: InventoryCard, b: InventoryCard): boolean {
  if (a.name !== null && b.name !== null && modelOf(a.name) !== modelOf(b.name)) return false
  if (a.vramTotalMiB === null || b.vramTotalMiB === null) return true
  const larger = Math.max(a.vramTotalMiB, b.vramTotalMiB)
  return Math.abs(a.vramTotalMiB - b.vramTotalMiB) <= larger * VRAM_TOLERANCE
}

/** Drivers differ in whether the maker's name goes before the model's. */
function modelOf(name: string): string {
  return name
    .toLowerCase()
    .replace(/^(?:nvidia|amd|ati|intel)\s+/, "")
    .trim()
}
