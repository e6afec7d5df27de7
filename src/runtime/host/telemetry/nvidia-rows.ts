import { type Printed, pciAddress, positive, quantity } from "../nvidia/reading.ts"
import { throttleOf } from "../nvidia/throttle.ts"
import type { Readings } from "./sample.ts"

interface Column<Value> {
  fields: readonly string[]
  read: (printed: Printed) => Value
}

/** Each reading, the names that its field has (the next is asked for where a driver does not know the first), and how it is read. */
const COLUMNS: { [Reading in keyof Readings]: Column<Readings[Reading]> } = {
  temperatureC: { fields: ["temperature.gpu"], read: cell => quantity(cell, "C") },
  utilizationPct: { fields: ["utilization.gpu"], read: cell => quantity(cell, "%") },
  vramUsedMiB: { fields: ["memory.used"], read: cell => quantity(cell, "MIB") },
  powerDrawW: { fields: ["power.draw"], read: cell => quantity(cell, "W") },
  powerLimitW: { fields: ["power.limit"], read: cell => positive(cell, "W") },
  fanPct: { fields: ["fan.speed"], read: cell => quantity(cell, "%") },
  coreMhz: { fields: ["clocks.sm", "clocks.current.sm"], read: cell => quantity(cell, "MHZ") },
  memoryMhz: { fields: ["clocks.mem", "clocks.current.memory"], read: cell => quantity(cell, "MHZ") },
  throttle: { fields: ["clocks_event_reasons.active", "clocks_throttle_reasons.active"], read: throttleOf },
}

const READINGS = Object.keys(COLUMNS) as (keyof Readings)[]

/**
 * What is asked for, less what this driver has refused. The UUID comes first, where words without a line end may stick to it; the
 * address comes last, because a row that was cut short then has none.
 */
export function fieldsLess(refused: ReadonlySet<string>): string[] {
  const asked = READINGS.map(reading => COLUMNS[reading].fields.find(field => !refused.has(field)))
  return ["uuid", ...asked.filter(field => field !== undefined), "pci.bus_id"]
}

/** The field that the driver does not know, from `Field "fan.speed" is not a valid field to query.`; null for other lines. */
export function refusedField(line: string): string | null {
  return line.match(/field ["'“]?([\w.]{1,80})["'”]? is not a valid field/i)?.[1] ?? null
}

export interface Row {
  pciAddress: string
  readings: Readings
}

/**
 * Reads one line of `--query-gpu` in `csv,noheader,nounits`; null for everything that is no whole row. A row that has lost or
 * won a column is no row: its values would stand under other names.
 */
export function parseRow(line: string, fields: readonly string[]): Row | null {
  // A deprecated field's sentence stands in brackets and may hold a comma.
  const cells = line.replace(/\[[^\][]*\]/g, "[]").split(",")
  const address = pciAddress(cells.at(-1) ?? null)
  if (cells.length !== fields.length || address === null) return null
  const cellOf = (names: readonly string[]) => cells[fields.findIndex(field => names.includes(field))] ?? null
  const readings = Object.fromEntries(
    READINGS.map(reading => [reading, COLUMNS[reading].read(cellOf(COLUMNS[reading].fields))]),
  ) as unknown as Readings
  return { pciAddress: address, readings }
}
