import { expect } from "vitest"
import type { Measurement } from "../../../../src/protocol/measurement.ts"
import { Measurement as Schema } from "../../../../src/protocol/measurement.ts"
import type { Budget, Watch } from "../../../../src/runtime/bench/host/figure.ts"

/** As little as makes a figure. */
export const BRIEF: Budget = { warmUps: 0, repeats: 3, windowMs: 10, limitMs: 5000 }

export function watching(): Watch {
  return { signal: AbortSignal.timeout(60_000) }
}

/** A figure that can be told: as the schema says, above zero, its quartiles in order. */
export function expectSound(measurements: readonly Measurement[]): void {
  for (const measurement of measurements) {
    const { lowerQuartile, median, upperQuartile } = Schema.parse(measurement)
    expect(lowerQuartile, measurement.name).toBeGreaterThan(0)
    expect(median).toBeGreaterThanOrEqual(lowerQuartile)
    expect(upperQuartile).toBeGreaterThanOrEqual(median)
  }
}

export function namesOf(figures: readonly { name: string }[]): string[] {
  return figures.map(({ name }) => name)
}
