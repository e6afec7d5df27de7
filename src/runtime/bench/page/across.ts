import type { CardReport } from "../../../protocol/capacity-report.ts"
import type { Measurement } from "../../../protocol/measurement.ts"

/** One card's place in a figure across all cards. */
export interface Row {
  /** By itself, and with all cards at work at once. */
  alone: Measurement | null
  together: Measurement | null
  /** What it lacks to the middle one of its model's cards: 0.2 is a fifth. Null where that is less than a tenth, or they are too few. */
  lack: number | null
}

/** Of three cards the middle one is not moved by the others. */
const LEAST_ALIKE = 3
const LEAST_LACK = 0.1

/** One figure across all cards, in their order. */
export function across(cards: readonly CardReport[], figure: string): Row[] {
  const named = (figures: readonly Measurement[]) => figures.find(({ name }) => name === figure) ?? null
  return cards.map(({ name, figures, together }) => {
    const alone = named(figures)
    const alike = cards.filter(card => card.name === name).flatMap(card => named(card.figures)?.median ?? [])
    const lack = alone === null || alike.length < LEAST_ALIKE ? 0 : 1 - alone.median / middleOf(alike)
    return { alone, together: named(together), lack: lack < LEAST_LACK ? null : lack }
  })
}

function middleOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}
