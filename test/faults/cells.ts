import { shuffled } from "./chance.ts"
import type { Fault } from "./fault.ts"
import type { Moment } from "./moments.ts"

/** A fault at a moment. */
export interface Cell {
  fault: Fault
  moment: Moment
}

/** One run: a cell and its seed. */
export interface Run extends Cell {
  seed: number
}

export interface LeftOut {
  fault: string
  moments: readonly Moment[]
  reason: string
}

/** One seed in so many for a fault that takes long. */
const SLOW_SHARE = 4

export interface Selection {
  faults: readonly Fault[]
  moments: readonly Moment[]
}

export function cellsOf({ faults, moments }: Selection): Cell[] {
  return faults.flatMap(fault =>
    moments.filter(moment => fault.senseless?.[moment] === undefined).map(moment => ({ fault, moment })),
  )
}

/** Every cell that is not run, with its reason; none is passed over in silence. */
export function leftOutOf(
  { faults, moments }: Selection,
  impossible: ReadonlyMap<string, string>,
): LeftOut[] {
  return faults.flatMap(fault => {
    const never = impossible.get(fault.name)
    if (never !== undefined) return [{ fault: fault.name, moments, reason: never }]
    const senseless = moments.filter(moment => fault.senseless?.[moment] !== undefined)
    const reasons = new Set(senseless.map(moment => fault.senseless?.[moment] ?? ""))
    return [...reasons].map(reason => ({
      fault: fault.name,
      moments: senseless.filter(moment => fault.senseless?.[moment] === reason),
      reason,
    }))
  })
}

/**
 * So many runs over all cells, each cell with the seeds `seed`, `seed + 1`, and so on. Runs whose processes need other equipment come last,
 * because it takes a restart to change it.
 */
export function runsOf(cells: readonly Cell[], count: number, seed: number): Run[] {
  const runs: Run[] = []
  for (let turn = 0; runs.length < count && cells.length > 0; turn++) {
    const due = cells.filter(({ fault }) => !fault.slow || turn % SLOW_SHARE === 0)
    runs.push(...shuffled(due, seed + turn).map(cell => ({ ...cell, seed: seed + turn })))
    if (due.length === 0 && turn > SLOW_SHARE) break
  }
  const chosen = runs.slice(0, count)
  const rank = ({ fault: { clocks, card } }: Run) => (clocks ? 1 : 0) + (card ? 2 : 0)
  return chosen.sort((one, other) => rank(one) - rank(other))
}
