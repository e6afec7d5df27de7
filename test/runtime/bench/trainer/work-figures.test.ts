import { expect, test } from "vitest"
import {
  afterWarmUp,
  hasLearned,
  stepRates,
  type Told,
} from "../../../../src/runtime/bench/trainer/step-rate.ts"
import type { Watched } from "../../../../src/runtime/bench/trainer/watch-steps.ts"
import { figuresOf } from "../../../../src/runtime/bench/trainer/work-figures.ts"
import { workloadFor } from "../../../../src/runtime/bench/trainer/workload.ts"
import { openMeter } from "../../../../src/runtime/host/telemetry/meter.ts"
import { UNREAD } from "../../../../src/runtime/host/telemetry/sample.ts"
import { Track } from "../../../../src/runtime/host/telemetry/track.ts"
import { CARD } from "./card.ts"

const BUDGET = { startLimitMs: 5000, warmUp: { steps: 10, ms: 1000 }, windowMs: 2000, limitMs: 9000 }
const WALL = 1_700_000_000_000

/** A line each 200 ms, five steps later. */
function steady(count: number, loss: (at: number) => number | null = at => 5 - at / 100): Told[] {
  return Array.from({ length: count }, (_, at) => ({
    monoMs: 100 + 200 * at,
    wallMs: WALL + 200 * at,
    step: 1 + 5 * at,
    loss: loss(at),
  }))
}

test("neither the first steps nor the first moments count", () => {
  const told = steady(20)
  expect(afterWarmUp(told, { steps: 10, ms: 0 })[0]?.step).toBe(11)
  expect(afterWarmUp(told, { steps: 0, ms: 1000 })[0]?.step).toBe(26)
  expect(afterWarmUp([], BUDGET.warmUp)).toEqual([])
})

test("a rate is what lies between two lines, and lines at one moment make none", () => {
  expect(stepRates(steady(3))).toEqual([25, 25])
  const [first, ...rest] = steady(3)
  expect(stepRates(first ? [first, first, ...rest] : [])).toEqual([25, 25])
  expect(stepRates(steady(1))).toEqual([])
})

test("a model that has not learned, or told no loss, was not trained", () => {
  expect(hasLearned(steady(5))).toBe(true)
  expect(hasLearned(steady(5, () => 5))).toBe(false)
  expect(hasLearned(steady(5, at => 5 + at))).toBe(false)
  expect(hasLearned(steady(5, at => (at === 2 ? null : 5 - at)))).toBe(false)
})

test("tokens a second are steps a second times windows and their length", () => {
  const { measurements, steps } = figuresOf(
    { told: steady(20), end: "window" },
    workloadFor("cpu"),
    BUDGET,
    null,
  )
  expect(measurements).toEqual([
    {
      ...{ name: "trainer-1m", unit: "tokens/s", clock: "host", repeats: 14 },
      ...{ median: 25_600, lowerQuartile: 25_600, upperQuartile: 25_600 },
    },
  ])
  expect(steps).toBe(70)
})

test("tokens a joule are those of the time that counts, by the card's own power", () => {
  let now = 0
  const clocks = { mono: () => now, wall: () => WALL + now }
  const track = new Track(CARD, 100, () => now)
  using meter = openMeter([track], clocks)
  for (; now <= 4000; now += 100) track.take({ ...UNREAD, powerDrawW: 200 })
  const watched: Watched = { told: steady(20), end: "window" }
  const { measurements, unmeasured } = figuresOf(watched, workloadFor("cuda"), BUDGET, meter)
  expect(unmeasured).toEqual([])
  // 70 steps of 4096 tokens in 2.8 s at 200 W.
  expect(measurements[1]).toMatchObject({ name: "trainer-25m-energy", unit: "tokens/J", repeats: 1 })
  expect(measurements[1]?.median).toBeCloseTo((70 * 4096) / 560, 6)
})

test.for<[string, Watched, string]>([
  ["started too slowly", { told: [], end: "start limit" }, "made no step within 5 s"],
  ["is too slow", { told: steady(7), end: "limit" }, "too slow here to be measured: it made 31 steps in 9 s"],
  ["did not learn", { told: steady(20, () => 5), end: "window" }, "did not learn"],
  [
    "ran out of memory",
    { told: [], end: "by itself", exitCode: 137, oomKilled: true, said: "" },
    "more memory than this slot gives",
  ],
  [
    "found no card",
    { told: [], end: "by itself", exitCode: 2, oomKilled: false, said: "trainer: no usable GPU" },
    "exit code 2. Its last words: trainer: no usable GPU",
  ],
])("a trainer that %s is told, and no figure", ([, watched, reason]) => {
  const { measurements, unmeasured, steps } = figuresOf(watched, workloadFor("cpu"), BUDGET, null)
  expect([measurements, steps]).toEqual([[], 0])
  expect(unmeasured.map(({ name }) => name)).toEqual(["trainer-1m", "trainer-1m-energy"])
  expect(unmeasured[0]?.reason).toContain(reason)
})
