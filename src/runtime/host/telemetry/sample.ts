import type { ThrottleReason } from "../../../protocol/throttle.ts"

/** What one reading of a card tells; what it does not tell is null: never 0, never a guess. */
export interface Readings {
  temperatureC: number | null
  utilizationPct: number | null
  /** Of the whole card, whoever uses it. */
  vramUsedMiB: number | null
  powerDrawW: number | null
  powerLimitW: number | null
  fanPct: number | null
  coreMhz: number | null
  memoryMhz: number | null
  /** Empty: it runs as fast as it can. */
  throttle: ThrottleReason[] | null
}

/** One reading of one card. */
export interface Sample extends Readings {
  /** Milliseconds since the epoch, by the machine's clock, which may jump. */
  at: number
}

export const UNREAD: Readings = {
  temperatureC: null,
  utilizationPct: null,
  vramUsedMiB: null,
  powerDrawW: null,
  powerLimitW: null,
  fanPct: null,
  coreMhz: null,
  memoryMhz: null,
  throttle: null,
}

/**
 * A card that tells nothing at all (asleep, lost) has given no sample: it shows a gap. Why it is throttled, or that it is not, says nothing by
 * itself: a driver may answer that for a card that is gone.
 */
export function tellsNothing({ throttle: _, ...measured }: Readings): boolean {
  return Object.values(measured).every(value => value === null)
}

/** For how many periods a sample stands for the card, and over how many two neighbours are joined; beyond is a gap. */
export const STANDS_PERIODS = 3
