import fc from "fast-check"
import { expect, test } from "vitest"
import type { Moment } from "../../../../src/protocol/capacity-report.ts"
import { ThrottleReason } from "../../../../src/protocol/throttle.ts"
import { sustainedOf } from "../../../../src/runtime/bench/gpu/sustained.ts"
import { thinned } from "../../../../src/runtime/bench/gpu/timeline.ts"
import { moments } from "./sample-moments.ts"

const anyTimeline = fc
  .array(
    fc.record({
      flops: fc.integer({ min: 0, max: 1e6 }),
      temperatureC: fc.option(fc.integer({ min: 20, max: 110 })),
      throttle: fc.option(fc.subarray([...ThrottleReason.options])),
    }),
    { minLength: 1, maxLength: 500 },
  )
  .map(told => moments(told.length, at => told[at] ?? {}))

const hottest = (timeline: Moment[]) => Math.max(...timeline.map(({ temperatureC }) => temperatureC ?? -1))
const reasons = (timeline: Moment[]) => new Set(timeline.flatMap(({ throttle }) => throttle ?? []))

test("a thinned run is as long and as hot, was throttled for the same reasons, and is in order", () => {
  fc.assert(
    fc.property(anyTimeline, fc.integer({ min: 1, max: 120 }), (timeline, most) => {
      const thin = thinned(timeline, most)
      expect(thin).toHaveLength(Math.min(most, timeline.length))
      expect(thin.at(-1)?.second).toBe(timeline.length)
      expect(thin.map(({ second }) => second)).toEqual(
        thin.map(({ second }) => second).toSorted((a, b) => a - b),
      )
      expect(hottest(thin)).toBe(hottest(timeline))
      expect(reasons(thin)).toEqual(reasons(timeline))
    }),
  )
})

test("what a card came to and drew is the mean of its neighbours; what none of them told stays untold", () => {
  const timeline = moments(4, at => ({
    flops: at * 10,
    powerW: at === 0 ? null : 100 * at,
    throttle: at < 2 ? null : [],
  }))
  expect(thinned(timeline, 2)).toEqual([
    { ...moments(2)[1], flops: 5, powerW: 100, throttle: null },
    { ...moments(4)[3], flops: 25, powerW: 250, throttle: [] },
  ])
  expect(thinned(timeline, 4)).toEqual(timeline)
})

test("a sustained run is summed up from what was told", () => {
  const timeline = moments(10, at => ({
    ...{ flops: at < 5 ? 100 : 80, temperatureC: 60 + at, powerW: at < 5 ? 300 : 200 },
    throttle: at === 0 ? null : at < 7 ? ["power"] : ["thermal", "power"],
  }))
  expect(sustainedOf(timeline)).toEqual({
    ...{ seconds: 10, lost: expect.closeTo(0.2), hottestC: 69, meanPowerW: 250 },
    throttled: [
      { reason: "power", share: 1 },
      { reason: "thermal", share: 3 / 9 },
    ],
  })
})

test("a run that was too short has lost nothing that can be told, and none is no run", () => {
  expect(sustainedOf(moments(4, () => ({ flops: 1 })))).toEqual({
    ...{ seconds: 4, lost: null, throttled: [], hottestC: null, meanPowerW: null },
  })
  expect(sustainedOf(moments(10))?.lost).toBeNull()
  expect(sustainedOf([])).toBeNull()
})
