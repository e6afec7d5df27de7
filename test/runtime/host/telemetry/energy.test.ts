import fc from "fast-check"
import { expect, test } from "vitest"
import { integrate, isCovered, type PowerPoint } from "../../../../src/runtime/host/telemetry/energy.ts"

const REACH = { joinMs: 3000, holdMs: 1000 }
const watts = fc.double({ min: 0, max: 1000, noNaN: true })
/** Points in order, some of them far apart. */
const series = fc
  .array(fc.record({ step: fc.integer({ min: 1, max: 5000 }), watts }), { minLength: 1, maxLength: 40 })
  .map(steps => {
    const points: PowerPoint[] = []
    for (const { step, watts: power } of steps)
      points.push({ t: (points.at(-1)?.t ?? 0) + step, watts: power })
    return points
  })
const span = fc
  .tuple(fc.nat(100_000), fc.nat(100_000))
  .map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) }))

function close(a: number, b: number) {
  expect(Math.abs(a - b)).toBeLessThanOrEqual(1e-6 * Math.max(1, Math.abs(a), Math.abs(b)))
}

test("constant power gives power times time, to the ends of the span", () => {
  fc.assert(
    fc.property(
      watts,
      fc.integer({ min: 2, max: 200 }),
      fc.nat(999),
      fc.nat(999),
      (power, count, head, tail) => {
        const points = Array.from({ length: count }, (_, n) => ({ t: 1000 * n, watts: power }))
        const whole = { from: -head, to: 1000 * (count - 1) + tail }
        const energy = integrate(points, whole, REACH)
        close(energy.joules, (power * (whole.to - whole.from)) / 1000)
        close(energy.coveredMs, whole.to - whole.from)
      },
    ),
  )
})

test("a ramp gives the area under it", () => {
  const points = [0, 1000, 2000, 3000].map(t => ({ t, watts: t / 10 }))
  expect(integrate(points, { from: 0, to: 3000 }, REACH).joules).toBeCloseTo(450)
  expect(integrate(points, { from: 500, to: 1500 }, REACH).joules).toBeCloseTo(100)
})

test("the parts of a span add up to the whole", () => {
  fc.assert(
    fc.property(series, span, fc.nat(100_000), (points, whole, cut) => {
      const middle = Math.min(Math.max(cut, whole.from), whole.to)
      const all = integrate(points, whole, REACH)
      const first = integrate(points, { from: whole.from, to: middle }, REACH)
      const second = integrate(points, { from: middle, to: whole.to }, REACH)
      close(first.joules + second.joules, all.joules)
      close(first.coveredMs + second.coveredMs, all.coveredMs)
    }),
    { numRuns: 1000 },
  )
})

test("a sample that is missing never covers more", () => {
  fc.assert(
    fc.property(series, span, fc.nat(39), (points, whole, lost) => {
      const fewer = points.filter((_, n) => n !== lost % points.length)
      const [more, less] = [integrate(points, whole, REACH), integrate(fewer, whole, REACH)]
      expect(less.coveredMs).toBeLessThanOrEqual(more.coveredMs + 1e-6)
    }),
    { numRuns: 2000 },
  )
})

test("a gap invents no energy: never more than the most power over the time that is covered", () => {
  fc.assert(
    fc.property(series, span, (points, whole) => {
      const { joules, coveredMs } = integrate(points, whole, REACH)
      const most = Math.max(...points.map(point => point.watts))
      expect(joules).toBeLessThanOrEqual((most * coveredMs) / 1000 + 1e-6)
      expect(coveredMs).toBeLessThanOrEqual(whole.to - whole.from + 1e-6)
      expect(joules).toBeGreaterThanOrEqual(0)
    }),
  )
  const holed = [0, 1000, 9000, 10_000].map(t => ({ t, watts: 100 }))
  const whole = { from: 0, to: 10_000 }
  expect(integrate(holed, whole, { joinMs: 3000, holdMs: 0 })).toEqual({ joules: 200, coveredMs: 2000 })
  expect(integrate(holed, whole, REACH)).toEqual({ joules: 400, coveredMs: 4000 })
})

test("no points, or no time, are no energy", () => {
  expect(integrate([], { from: 0, to: 1000 }, REACH)).toEqual({ joules: 0, coveredMs: 0 })
  expect(integrate([{ t: 5, watts: 9 }], { from: 7, to: 7 }, REACH)).toEqual({ joules: 0, coveredMs: 0 })
})

test.each([
  ["all of a minute", 60_000, 60_000, true],
  ["a minute without its first and last period", 60_000, 58_000, true],
  ["95 % of the rest of a minute", 60_000, 55_100, true],
  ["less than 95 %", 60_000, 55_000, false],
  ["half of two seconds", 2000, 1000, true],
  ["a moment of two seconds", 2000, 100, false],
  ["nothing", 2000, 0, false],
])("%s is enough or not", (_, length, coveredMs, enough) => {
  expect(isCovered({ joules: 1, coveredMs }, { from: 0, to: length }, 1000)).toBe(enough)
})
