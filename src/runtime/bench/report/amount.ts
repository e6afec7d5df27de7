import type { Measurement, Unit } from "../../../protocol/measurement.ts"
import { type Change, changeOf } from "./compare.ts"

const PREFIXES = ["", "k", "M", "G", "T", "P"]

/** `12300000000000 FLOP/s` → `12.3 TFLOP/s`. */
export function amount(value: number, unit: Unit): string {
  if (unit === "s") return value < 1 ? `${(value * 1000).toPrecision(3)} ms` : `${value.toPrecision(3)} s`
  const power = Math.min(PREFIXES.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(value, 1)) / 3)))
  const name = unit === "op/s" ? "IOPS" : unit
  return `${Number((value / 1000 ** power).toPrecision(3))} ${PREFIXES[power]}${name}`
}

/** Half of the distance between the quartiles, in percent of the median. */
export function spread({ median, lowerQuartile, upperQuartile }: Measurement): string {
  return median === 0 ? "0" : (((upperQuartile - lowerQuartile) / 2 / median) * 100).toFixed(1)
}

/** What a figure has gained since the last run, in percent; nothing where that cannot be said. */
export function gained(figure: Measurement, last: readonly Measurement[]): string {
  const change = changeOf(figure, last)
  return change === null ? "" : `${inPercent(change)}${change.isDrop ? ", worse" : ""}`
}

/** `+12 %`. */
export function inPercent({ gained: share }: Change): string {
  const percent = Math.round(share * 100)
  return `${percent > 0 ? "+" : ""}${percent} %`
}
