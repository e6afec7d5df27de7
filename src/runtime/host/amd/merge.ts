import { type AmdRecord, filled, type SmiCard } from "./record.ts"

export interface Merged {
  records: AmdRecord[]
  /** What a tool said of cards that could not be found among the records. */
  unmatched: SmiCard[]
}

/**
 * Completes the cards of sysfs with a tool's. A card is found by its PCI address, else by its unique id, else by its device id
 * where both sides have just one such card; the order of the cards says nothing. What sysfs knows stays.
 */
export function merge(records: AmdRecord[], cards: SmiCard[]): Merged {
  const merged = [...records]
  const taken = new Set<number>()
  const unmatched: SmiCard[] = []
  for (const card of cards) {
    const at = placeOf(records, card, cards)
    const record = merged[at]
    // Partitions of one card share an address: the first of them speaks for it.
    if (record === undefined) unmatched.push(card)
    else if (!taken.has(at)) merged[at] = completed(record, card)
    taken.add(at)
  }
  return { records: merged, unmatched }
}

function placeOf(records: AmdRecord[], card: SmiCard, cards: SmiCard[]): number {
  if (card.pciAddress !== null) {
    return records.findIndex(({ readings }) => readings.pciAddress === card.pciAddress)
  }
  const only = (matches: (other: AmdRecord) => boolean, same: (other: SmiCard) => boolean) => {
    const found = records.flatMap((record, place) => (matches(record) ? [place] : []))
    return found.length === 1 && cards.filter(same).length === 1 ? (found[0] ?? -1) : -1
  }
  const { uuid, device } = card
  const byId =
    uuid === null
      ? -1
      : only(
          r => r.readings.uuid === uuid,
          other => other.uuid === uuid,
        )
  if (byId !== -1 || device === null) return byId
  return only(
    r => r.device === device && (uuid === null || r.readings.uuid === null),
    other => other.device === device,
  )
}

function completed(record: AmdRecord, card: SmiCard): AmdRecord {
  return {
    ...record,
    readings: filled(record.readings, card),
    familyName: record.familyName ?? card.familyName,
  }
}

/** A card that only a tool knows, as a record: sysfs said nothing about it. */
export function recordOf(card: SmiCard): AmdRecord {
  const { device, familyName, ...readings } = card
  return {
    readings,
    device,
    familyName,
    driver: undefined,
    offTheBus: false,
    hasFan: false,
    gttTotalMiB: null,
    vramVendor: null,
    criticalC: null,
    uncorrectableErrors: null,
  }
}
