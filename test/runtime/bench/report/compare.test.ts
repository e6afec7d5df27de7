import fc from "fast-check"
import { expect, test } from "vitest"
import { measurementOf } from "../../../../src/runtime/bench/host/figure.ts"
import { changeOf } from "../../../../src/runtime/bench/report/compare.ts"
import { figure } from "./sample-report.ts"

test("more is better, and a shorter time is", () => {
  expect(changeOf(figure("a", 120), [figure("b", 1), figure("a", 100)])).toEqual({
    gained: expect.closeTo(0.2),
    isDrop: false,
  })
  expect(changeOf(figure("a", 60), [figure("a", 100)])).toEqual({
    gained: expect.closeTo(-0.4),
    isDrop: true,
  })
  const seconds = (median: number) => figure("t", median, { unit: "s" })
  expect(changeOf(seconds(0.02), [seconds(0.01)])).toEqual({ gained: expect.closeTo(-0.5), isDrop: true })
  expect(changeOf(seconds(0.01), [seconds(0.02)])).toEqual({ gained: expect.closeTo(1), isDrop: false })
})

test("what was not measured the same way is not compared", () => {
  const others = [figure("a", 1, { unit: "B/s" }), figure("a", 1, { clock: "host" }), figure("a", 0)]
  for (const other of others) expect(changeOf(figure("a", 1), [other])).toBeNull()
})

/** Tommy Ettinger's 32-bit generator. */
function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Repeats that scatter as figures on a shared machine do: a few percent, sometimes far below. */
function repeats(centre: number, noise: number, random: () => number): number[] {
  return Array.from({ length: 11 }, () => {
    const gauss = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
    return Math.max(1, centre * (1 + noise * gauss - (random() < 0.1 ? 0.2 : 0)))
  })
}

test("of equal runs fewer than one in a hundred is called a drop; a third less is nearly always one", () => {
  fc.assert(
    fc.property(fc.integer(), seed => {
      const random = mulberry32(seed)
      const run = (centre: number, noise: number) => measurementOf("a", "B/s", repeats(centre, noise, random))
      let [falsely, found] = [0, 0]
      for (let tries = 0; tries < 500; tries++) {
        if (changeOf(run(1000, 0.05), [run(1000, 0.05)])?.isDrop) falsely++
        if (changeOf(run(667, 0.05), [run(1000, 0.05)])?.isDrop) found++
      }
      expect(falsely).toBeLessThan(5)
      expect(found).toBeGreaterThan(475)
    }),
    { numRuns: 3 },
  )
})
