import { within } from "../drm/number.ts"
import { PciAddress } from "../gpu.ts"
import type { Readings } from "./record.ts"

/** How many openings are tried before a text is held to have no JSON in it. */
const OPENINGS_LIMIT = 20

/** The JSON in a tool's output, which may have warnings before and after it; undefined where there is none that is whole. */
export function jsonIn(output: string): unknown {
  const openings = [...output.matchAll(/^[ \t]*[{[]/gm)].slice(0, OPENINGS_LIMIT)
  for (const { index } of openings) {
    const closer = output.slice(index).trimStart().startsWith("[") ? "]" : "}"
    try {
      return JSON.parse(output.slice(index, output.lastIndexOf(closer) + 1))
    } catch {
      // A warning may open with a bracket too: go on to the next.
    }
  }
  return undefined
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

interface Quantity {
  amount: number
  /** In lower case; empty where none was given. */
  unit: string
}

/** `45.0`, `"42%"`, `"(1600Mhz)"`, `"220 W"` or `{"value": 16, "unit": "GT/s"}`; null for N/A in its many forms. */
export function quantityOf(value: unknown): Quantity | null {
  if (isObject(value)) {
    const inner = quantityOf(value.value)
    return inner && { amount: inner.amount, unit: inner.unit || String(value.unit ?? "").toLowerCase() }
  }
  if (typeof value === "number") return Number.isFinite(value) ? { amount: value, unit: "" } : null
  if (typeof value !== "string") return null
  const [, amount, unit = ""] =
    /^\(?\s*(-?\d{1,20}(?:\.\d{1,20})?)\s*([a-z%°][a-z/°]*|%)?\s*\)?$/i.exec(value.trim()) ?? []
  return amount === undefined ? null : { amount: Number(amount), unit: unit.toLowerCase() }
}

export function amountOf(value: unknown): number | null {
  return quantityOf(value)?.amount ?? null
}

const MIB_PER: ReadonlyMap<string, number> = new Map([
  ["b", 2 ** -20],
  ["bytes", 2 ** -20],
  ["kb", 2 ** -10],
  ["kib", 2 ** -10],
  ["mb", 1],
  ["mib", 1],
  ["gb", 1024],
  ["gib", 1024],
])

/** AMD's tools count in powers of two and write MB. @param usual the unit where none is given. */
export function mibOfValue(value: unknown, usual: string): number | null {
  const quantity = quantityOf(value)
  const factor = quantity && MIB_PER.get(quantity.unit || usual)
  return quantity && factor !== undefined && factor !== null ? Math.round(quantity.amount * factor) : null
}

/** `0000:2F:00.0`, also with text behind it. */
export function addressOf(value: unknown): string | null {
  if (typeof value !== "string") return null
  const address = PciAddress.safeParse(value.trim().split(/\s/)[0]?.toLowerCase())
  return address.success ? address.data : null
}

/** Drops what cannot be: the numbers that drivers use for "unknown" (0 watts, 65535), and 0 where 0 means that nothing was read. */
export function plausible(readings: Readings): Readings {
  const { vramUsedMiB, clocksMhz, pcie } = readings
  const vramTotalMiB = within(readings.vramTotalMiB, 1, 2 ** 24)
  return {
    ...readings,
    vramTotalMiB,
    vramUsedMiB: within(vramUsedMiB, 0, vramTotalMiB ?? 2 ** 24),
    temperatureC: within(readings.temperatureC, -40, 200),
    utilizationPct: within(readings.utilizationPct, 0, 100),
    powerDrawW: within(readings.powerDrawW, 0.001, 5000),
    powerLimitW: within(readings.powerLimitW, 0.001, 5000),
    fanPct: within(readings.fanPct, 0, 100),
    clocksMhz: { core: within(clocksMhz.core, 0, 10_000), memory: within(clocksMhz.memory, 0, 20_000) },
    pcie: {
      gen: within(pcie.gen, 1, 6),
      width: within(pcie.width, 1, 32),
      maxWidth: within(pcie.maxWidth, 1, 32),
    },
  }
}
