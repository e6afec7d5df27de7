import fc from "fast-check"
import { expect, test } from "vitest"
import {
  measurementOf,
  type Progress,
  repeated,
  unmeasured,
} from "../../../../src/runtime/bench/host/figure.ts"
import { expectSound } from "./sound.ts"

const NAME = { name: "some-figure", unit: "B/s" } as const

test.for([
  { samples: [5], quartiles: [5, 5, 5] },
  { samples: [3, 1, 2], quartiles: [1.5, 2, 2.5] },
  { samples: [4, 1, 3, 2], quartiles: [1.75, 2.5, 3.25] },
  { samples: [10, 9, 1, 2, 3, 100, 4], quartiles: [2.5, 4, 9.5] },
])("the quartiles of $samples are $quartiles", ({ samples, quartiles: [lower, median, upper] }) => {
  expect(measurementOf("some-figure", "B/s", samples)).toEqual({
    ...NAME,
    ...{ lowerQuartile: lower, median, upperQuartile: upper, repeats: samples.length, clock: "host" },
  })
})

test("a figure lies within its samples, whatever their order, and needs one", () => {
  const samples = fc.array(fc.double({ min: 1e-3, max: 1e15, noNaN: true }), { minLength: 1, maxLength: 40 })
  fc.assert(
    fc.property(samples, some => {
      const figure = measurementOf("some-figure", "B/s", some)
      expectSound([figure])
      expect(figure.lowerQuartile).toBeGreaterThanOrEqual(Math.min(...some))
      expect(figure.upperQuartile).toBeLessThanOrEqual(Math.max(...some))
      expect(measurementOf("some-figure", "B/s", some.toReversed())).toEqual(figure)
    }),
  )
  expect(() => measurementOf("some-figure", "B/s", [])).toThrow(TypeError)
})

test("warm-ups do not count, and every repeat is told", async () => {
  const told: Progress[] = []
  let calls = 0
  const watch = { signal: new AbortController().signal, onProgress: (one: Progress) => void told.push(one) }
  const budget = { warmUps: 2, repeats: 3, windowMs: 1, limitMs: 60_000 }
  const figure = await repeated(NAME, budget, async () => (calls++ < 2 ? 1000 : calls), watch)
  expect(figure).toMatchObject({ median: 4, lowerQuartile: 3.5, upperQuartile: 4.5, repeats: 3 })
  expect(told.map(({ done, of, latest }) => [done, of, latest])).toEqual([
    [0, 3, null],
    [1, 3, 3],
    [2, 3, 4],
    [3, 3, 5],
  ])
})

test("without any time left one repeat is still taken, and after an abort none", async () => {
  const budget = { warmUps: 5, repeats: 50, windowMs: 1, limitMs: 0 }
  expect(await repeated(NAME, budget, async () => 7, { signal: new AbortController().signal })).toMatchObject(
    {
      repeats: 1,
      median: 7,
    },
  )
  const stop = new AbortController()
  const once = async () => {
    stop.abort(new Error("enough"))
    return 1
  }
  await expect(repeated(NAME, { ...budget, limitMs: 60_000 }, once, stop)).rejects.toThrow("enough")
})

test("a reason is cut to what a report takes", () => {
  expect(unmeasured("some-figure", "x".repeat(1000)).reason).toHaveLength(400)
})
