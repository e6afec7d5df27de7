import { expect, test } from "vitest"
import { throttleOf } from "../../../../src/runtime/host/nvidia/throttle.ts"

test.each([
  ["0x0000000000000000", []],
  // Idle, application clocks, sync boost, display clocks: none is throttling.
  ["0x0000000000000113", []],
  ["0x0000000000000004", ["power"]],
  ["0x0000000000000020", ["thermal"]],
  ["0x0000000000000048", ["thermal"]],
  ["0x0000000000000088", ["power-brake"]],
  ["0x0000000000000008", ["hardware-slowdown"]],
  ["0x000000000000002C", ["thermal", "power", "hardware-slowdown"]],
  [" 0x4 ", ["power"]],
])("%s", (mask, reasons) => {
  expect(throttleOf(mask)).toEqual(reasons)
})

test.each([null, "", "4", "0x", "0xg", "0xffffffffffffffff", "0x00000000000000004", "[N/A]", "Not Active"])(
  "%s is no mask",
  printed => {
    expect(throttleOf(printed)).toBeNull()
  },
)
