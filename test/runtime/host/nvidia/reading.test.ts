import { expect, test } from "vitest"
import {
  pciAddress,
  pciId,
  quantity,
  type Unit,
  uuid,
  version,
  words,
} from "../../../../src/runtime/host/nvidia/reading.ts"

test.each<[string, Unit, number]>([
  ["45 C", "C", 45],
  ["-3 C", "C", -3],
  ["  123.45 W ", "W", 123.45],
  ["24576 MiB", "MIB", 24576],
  ["8 GiB", "MIB", 8192],
  ["1024 MB", "MIB", 1024],
  ["30 %", "%", 30],
  ["1980 MHz", "MHZ", 1980],
  ["16x", "X", 16],
  ["x16", "X", 16],
  ["4", "GEN", 4],
  ["0 %", "%", 0],
  ["610 MHz [deprecated]", "MHZ", 610],
])("%j is a reading in %s", (printed, unit, value) => {
  expect(quantity(printed, unit)).toBe(value)
})

const NOTHING = [
  "",
  " ",
  "N/A",
  "[N/A]",
  "[Not Supported]",
  "Not Found",
  "[Unknown Error]",
  "Unknown Error",
  "ERR!",
  "[Function Not Found]",
  "[GPU is lost]",
  "GPU is lost",
  "Requested functionality has been deprecated",
  "N/A (Secondary die)",
  "  N/A  ",
  "[Insufficient Permissions]",
]
test.each(NOTHING)("%j is no reading and no name", printed => {
  expect(quantity(printed, "W")).toBeNull()
  expect(words(printed)).toBeNull()
  expect(version(printed)).toBeNull()
})

test.each<[string, Unit]>([
  ["-5 %", "%"],
  ["511 C", "C"],
  ["4294967295 W", "W"],
  ["45 C", "W"],
  ["0x", "X"],
  ["12 34 W", "W"],
  ["1e5 W", "W"],
])("%j is nonsense in %s", (printed, unit) => {
  expect(quantity(printed, unit)).toBeNull()
})

test("versions lose the sentence behind them", () => {
  expect(version("610.43.02 [deprecated, see KMD Version]")).toBe("610.43.02")
  expect(version("384.111")).toBe("384.111")
})

test("masked UUIDs are none", () => {
  expect(uuid("GPU-XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX")).toBeNull()
  expect(uuid("GPU-00000000-0000-0000-0000-000000000000")).toBeNull()
  expect(uuid(" GPU-513536b6-7d19-9063-b049-1e69664bb298 ")).toBe("GPU-513536b6-7d19-9063-b049-1e69664bb298")
})

test("PCI addresses are written as sysfs writes them", () => {
  expect(pciAddress("00000000:01:00.0")).toBe("0000:01:00.0")
  expect(pciAddress("0000:0A:1F.7")).toBe("0000:0a:1f.7")
  expect(pciAddress("00000009:01:00.0")).toBe("0009:01:00.0")
  expect(pciAddress("0001A2B3:01:00.0")).toBe("1a2b3:01:00.0")
  expect(pciAddress("N/A")).toBeNull()
})

test("PCI ids are written with the vendor first, and other vendors' are none of ours", () => {
  expect(pciId("220410DE")).toBe("10de:2204")
  expect(pciId(" 0x2B8510DE ")).toBe("10de:2b85")
  for (const printed of [null, "N/A", "2204", "22041002", "FFFFFFFF", "1220410DE"])
    expect(pciId(printed)).toBeNull()
})
