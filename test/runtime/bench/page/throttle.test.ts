import { expect, test } from "vitest"
import type { Moment } from "../../../../src/protocol/capacity-report.ts"
import { GRAVE, shareHeld, spansOf, throttlePanel } from "../../../../src/runtime/bench/page/throttle.ts"

const UNTOLD = { flops: null, coreMhz: null, memoryMhz: null, temperatureC: null, powerW: null, fanPct: null }

function moments(...throttles: Moment["throttle"][]): Moment[] {
  return throttles.map((throttle, at) => ({ ...UNTOLD, second: 2 * (at + 1), throttle }))
}

const isHot = ({ throttle }: Moment) => throttle?.includes("thermal") ?? false

test("a moment tells of the time since the one before, and neighbours are one span", () => {
  const run = moments(["thermal"], [], ["power", "thermal"], ["thermal"], null, ["thermal"])
  expect(spansOf(run, isHot)).toEqual([
    [0, 2],
    [4, 8],
    [10, 12],
  ])
})

test("the share is of the whole run, each second once", () => {
  const run = moments(["thermal", "current"], [], ["power"], ["current"])
  expect(shareHeld(run, reason => GRAVE.has(reason))).toBe(50)
  expect(shareHeld(run, reason => reason === "power")).toBe(25)
  expect(shareHeld([], () => true)).toBe(0)
})

test("a lane for each reason that there was; none where nothing was told or nothing held it back", () => {
  const panel = throttlePanel(moments(["power"], ["thermal", "power"], []))
  expect(panel?.said).toBe("heat 33 %, power limit 67 %")
  expect(panel?.series).toHaveLength(2)
  expect(throttlePanel(moments([], []))).toBeNull()
  expect(throttlePanel(moments(null, null))).toBeNull()
})
