import { expect, test } from "vitest"
import type { ThrottleReason } from "../../../../src/protocol/throttle.ts"
import { sustainedRemarks } from "../../../../src/runtime/bench/report/sustained-remarks.ts"
import { moments } from "../gpu/sample-moments.ts"

const run = (throttle: ThrottleReason[], flopsAt: (at: number) => number = () => 30e12) =>
  moments(30, at => ({ flops: flopsAt(at), temperatureC: 50 + at, powerW: 310, throttle }))

test("a card that stands its load is told in one line, also at its power limit", () => {
  expect(sustainedRemarks(run([]))).toEqual([
    "Sustained for 30 s; as fast at its end; 79 °C at most, 310 W on average",
  ])
  expect(sustainedRemarks(run(["power"]))).toEqual([
    "Sustained for 30 s; as fast at its end; throttled (power in 100 % of it); 79 °C at most, 310 W on average",
  ])
})

test("heat and a loss over time are pointed out, each by itself", () => {
  const [summary, ...advice] = sustainedRemarks(run(["thermal"], at => 30e12 - at * 1e11))
  expect(summary).toContain("8 % slower at its end; throttled (thermal in 100 % of it)")
  expect(advice).toEqual([expect.stringContaining("give it air")])
  expect(sustainedRemarks(run([], at => 30e12 - at * 2e11))).toEqual([
    expect.stringContaining("16 % slower at its end"),
    expect.stringContaining("give it air"),
  ])
})

test.each(["power-brake", "hardware-slowdown"] as const)(
  "%s is a matter of cables and power supply",
  reason => {
    expect(sustainedRemarks(run([reason]))).toEqual([
      expect.stringContaining(`throttled (${reason} in 100 % of it)`),
      expect.stringContaining("power supply"),
    ])
  },
)

test("what a card does not tell is not made up, and a card without a run has nothing to say", () => {
  expect(sustainedRemarks(moments(3))).toEqual(["Sustained for 3 s"])
  expect(sustainedRemarks([])).toEqual([])
})
