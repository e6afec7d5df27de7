import type { DetectedGpu, UNREPORTED } from "../gpu.ts"

/** What can be read of a card, from whichever source; null is what a source does not know. */
export type Readings = Pick<DetectedGpu, keyof typeof UNREPORTED>

/** A card as sysfs shows it: its readings, and what decides whether it can work. */
export interface AmdRecord {
  readings: Readings
  device: number | null
  /** The chip's name, which may cover several products: for where nothing more exact is known. */
  familyName: string | null
  /** The kernel driver; null where none is bound, undefined where the tree does not tell. */
  driver: string | null | undefined
  offTheBus: boolean
  hasFan: boolean
  /** Memory of the machine that the card may use; on a processor's graphics it is larger than its own. */
  gttTotalMiB: number | null
  /** Who made the memory chips; null where the card has none of its own or does not tell. */
  vramVendor: string | null
  criticalC: number | null
  /** Memory and engine errors that could not be corrected, since the driver was loaded. */
  uncorrectableErrors: number | null
}

/** What a vendor's tool says of one card. */
export interface SmiCard extends Readings {
  device: number | null
  familyName: string | null
}

/** The known readings, completed with another source's. What is known stays. */
export function filled(known: Readings, more: Readings): Readings {
  return {
    ...fillNulls(known, more),
    clocksMhz: fillNulls(known.clocksMhz, more.clocksMhz),
    pcie: fillNulls(known.pcie, more.pcie),
  }
}

function fillNulls<T extends object>(known: T, more: T): T {
  const entries = Object.entries(known).map(([key, value]) => [key, value ?? more[key as keyof T] ?? null])
  return Object.fromEntries(entries)
}
