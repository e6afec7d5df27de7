import fc from "fast-check"
import { expect, test } from "vitest"
import { fieldsLess, parseRow, refusedField } from "../../../../src/runtime/host/telemetry/nvidia-rows.ts"
import { UNREAD } from "../../../../src/runtime/host/telemetry/sample.ts"

const FIELDS = fieldsLess(new Set())
const UUID = "GPU-11111111-2222-3333-4444-555555555555"
const ROW = `${UUID}, 61, 97, 10240, 310.55, 320.00, 70, 1875, 9501, 0x0000000000000024, 00000000:01:00.0`
const READ = {
  temperatureC: 61,
  utilizationPct: 97,
  vramUsedMiB: 10_240,
  powerDrawW: 310.55,
  powerLimitW: 320,
  fanPct: 70,
  coreMhz: 1875,
  memoryMhz: 9501,
  throttle: ["thermal", "power"],
}

test("a whole row is read", () => {
  expect(FIELDS.join(",")).toBe(
    "uuid,temperature.gpu,utilization.gpu,memory.used,power.draw,power.limit,fan.speed,clocks.sm,clocks.mem,clocks_event_reasons.active,pci.bus_id",
  )
  expect(parseRow(ROW, FIELDS)).toEqual({ pciAddress: "0000:01:00.0", readings: READ })
})

test.each([
  "[N/A]",
  "N/A",
  "[Not Supported]",
  "[Unknown Error]",
  "Unknown Error",
  "ERR!",
  "[GPU is lost]",
  "[Function Not Found]",
  "[Requested functionality has been deprecated, see the manual]",
  "",
  "4294967295",
])("%s is no value, and costs the others nothing", told => {
  const row = ROW.replace("310.55", told).replace(" 70,", ` ${told},`)
  expect(parseRow(row, FIELDS)?.readings).toEqual({ ...READ, powerDrawW: null, fanPct: null })
  const masked = ROW.replace("0x0000000000000024", told)
  expect(parseRow(masked, FIELDS)?.readings).toEqual({ ...READ, throttle: null })
})

test("a row that was cut anywhere is no row", () => {
  for (let end = 0; end < ROW.length; end++) expect(parseRow(ROW.slice(0, end), FIELDS)).toBeNull()
})

test("words without a line end before a row cost nothing but themselves", () => {
  expect(parseRow(`Unable to do something${ROW}`, FIELDS)?.readings).toEqual(READ)
})

test("a row with a column less or more has no values under other names", () => {
  const cells = ROW.split(", ")
  fc.assert(
    fc.property(fc.nat(cells.length - 1), fc.boolean(), (place, more) => {
      const changed = more ? cells.toSpliced(place, 0, "7") : cells.toSpliced(place, 1)
      expect(parseRow(changed.join(", "), FIELDS)).toBeNull()
    }),
  )
})

test("columns that were not asked for are not reported, and the others keep their values", () => {
  const names = FIELDS.slice(1, -1)
  fc.assert(
    fc.property(fc.subarray(names), dropped => {
      const refused = new Set([
        ...dropped,
        "clocks.current.sm",
        "clocks.current.memory",
        "clocks_throttle_reasons.active",
      ])
      const fields = fieldsLess(refused)
      const cells = ROW.split(", ").filter((_, n) => !dropped.includes(FIELDS[n] ?? ""))
      const read = Object.entries(READ).map(([name, value], n) => [
        name,
        refused.has(names[n] ?? "") ? null : value,
      ])
      expect(parseRow(cells.join(", "), fields)?.readings).toEqual(Object.fromEntries(read))
    }),
  )
})

test("no line makes it throw, and what it reads are numbers, reasons or null", () => {
  const pieces = fc.constantFrom(
    ROW,
    ", ",
    "[",
    "]",
    "[N/A]",
    "00000000:01:00.0",
    UUID,
    "-",
    "1e999",
    "NaN",
    "\0",
  )
  const line = fc.array(fc.oneof(pieces, fc.string({ unit: "binary" }))).map(parts => parts.join(""))
  fc.assert(
    fc.property(line, text => {
      refusedField(text)
      const row = parseRow(text, FIELDS)
      if (row === null) return
      expect(Object.keys(row.readings)).toEqual(Object.keys(UNREAD))
      for (const value of Object.values(row.readings))
        expect(value === null || Array.isArray(value) || Number.isFinite(value)).toBe(true)
    }),
    { numRuns: 2000 },
  )
})

test("a refused field is told by name, and its other name is tried", () => {
  expect(refusedField('Field "clocks.sm" is not a valid field to query.')).toBe("clocks.sm")
  expect(refusedField("Field “fan.speed” is not a valid field to query.")).toBe("fan.speed")
  expect(refusedField(ROW)).toBeNull()
  expect(fieldsLess(new Set(["clocks.sm", "fan.speed"]))).toEqual([
    "uuid",
    "temperature.gpu",
    "utilization.gpu",
    "memory.used",
    "power.draw",
    "power.limit",
    "clocks.current.sm",
    "clocks.mem",
    "clocks_event_reasons.active",
    "pci.bus_id",
  ])
  expect(fieldsLess(new Set(["clocks_event_reasons.active"])).at(-2)).toBe("clocks_throttle_reasons.active")
})
