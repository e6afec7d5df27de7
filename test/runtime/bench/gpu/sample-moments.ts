import type { Moment } from "../../../../src/protocol/capacity-report.ts"

/** The moments of a sustained run, one a second, of a card that tells nothing of itself but what is given. */
export function moments(count: number, told: (at: number) => Partial<Moment> = () => ({})): Moment[] {
  return Array.from({ length: count }, (_, at) => ({
    ...{ second: at + 1, flops: null, coreMhz: null, memoryMhz: null },
    ...{ temperatureC: null, powerW: null, fanPct: null, throttle: null },
    ...told(at),
  }))
}
