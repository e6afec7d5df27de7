import type { Measurement } from "../../../protocol/measurement.ts"

/** How a figure fell with all cards at work at once. */
export interface Drop {
  name: string
  alone: number
  together: number
  /** From 0 (nothing lost) to 1; below 0 where it rose. */
  lost: number
}

/** What each figure lost, where it was taken both ways. */
export function dropsOf(alone: readonly Measurement[], together: readonly Measurement[]): Drop[] {
  return together.flatMap(({ name, median }) => {
    const before = alone.find(one => one.name === name)?.median
    return before === undefined || before === 0
      ? []
      : [{ name, alone: before, together: median, lost: 1 - median / before }]
  })
}
