import fc from "fast-check"
import { expect, test } from "vitest"
import { throttleOf } from "../../../../src/runtime/host/amd/gpu-metrics.ts"
import { metricsV1_3 } from "./sample-metrics.ts"

test.each([
  ["nothing", 0n, []],
  ["PPT0", 1n, ["power"]],
  ["TDC_GFX", 1n << 16n, ["current"]],
  ["TEMP_GPU, the first of the temperatures", 1n << 32n, ["thermal"]],
  ["PROCHOT_GFX, the last of them", 1n << 47n, ["thermal"]],
  ["PPM and SPPT_APU", (1n << 56n) | (1n << 7n), ["power"]],
  ["FIT", 1n << 57n, ["reliability"]],
  ["TEMP_HOTSPOT, EDC_GFX and PPT0", (1n << 36n) | (1n << 22n) | 1n, ["thermal", "power", "current"]],
  ["a bit that has no name", 1n << 60n, []],
])("%s", (_, status, reasons) => {
  expect(throttleOf(metricsV1_3(status))).toEqual(reasons)
})

test("a value that the driver never filled in is none", () => {
  expect(throttleOf(metricsV1_3(2n ** 64n - 1n))).toBeNull()
})

test("bytes in the middle of a buffer are read as others", () => {
  const within = Buffer.concat([Buffer.alloc(3, 1), metricsV1_3(1n), Buffer.alloc(9, 1)])
  expect(throttleOf(within.subarray(3, 123))).toEqual(["power"])
})

test("another version of the table, and one that was cut off, tell nothing", () => {
  const whole = metricsV1_3(1n)
  const other = (at: number, value: number) => Uint8Array.from(whole).with(at, value)
  for (const bytes of [other(0, 104), other(2, 2), other(3, 1), other(3, 4), Uint8Array.of(...whole, 0)])
    expect(throttleOf(bytes)).toBeNull()
  for (let end = 0; end < whole.length; end++) expect(throttleOf(whole.subarray(0, end))).toBeNull()
})

test("no bytes make it throw", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), bytes => void throttleOf(bytes)))
})
