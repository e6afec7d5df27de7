import { expect, test } from "vitest"
import { amount, gained, spread } from "../../../../src/runtime/bench/report/amount.ts"
import { figure } from "./sample-report.ts"

test.for<[number, Parameters<typeof amount>[1], string]>([
  [12_300_000_000_000, "FLOP/s", "12.3 TFLOP/s"],
  [999.4, "B/s", "999 B/s"],
  [2e18, "FLOP/s", "2000 PFLOP/s"],
  [0, "op/s", "0 IOPS"],
  [61_000, "op/s", "61 kIOPS"],
  [0.00123, "s", "1.23 ms"],
  [12.34, "s", "12.3 s"],
])("%d %s is %s", ([value, unit, text]) => {
  expect(amount(value, unit)).toBe(text)
})

test("a spread is half of the distance between the quartiles", () => {
  expect(spread(figure("a", 100, { lowerQuartile: 90, upperQuartile: 94 }))).toBe("2.0")
  expect(spread(figure("a", 0))).toBe("0")
})

test("what was gained has a sign, and a drop is named", () => {
  expect(gained(figure("a", 120), [figure("a", 100)])).toBe("+20 %")
  expect(gained(figure("a", 60), [figure("a", 100)])).toBe("-40 %, worse")
  expect(gained(figure("a", 60), [figure("b", 100)])).toBe("")
})
