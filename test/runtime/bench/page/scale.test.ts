import fc from "fast-check"
import { expect, test } from "vitest"
import { decadesAround, ticksAround } from "../../../../src/runtime/bench/page/scale.ts"

test.for<[number[], { min: number; max: number; step: number }]>([
  [[32.3, 42], { min: 30, max: 45, step: 5 }],
  [[41, 87], { min: 40, max: 100, step: 20 }],
  [[100, 100], { min: 96, max: 104, step: 2 }],
  [[0, 0], { min: 0, max: 1, step: 1 }],
])("the ticks around %j are round", ([values, ticks]) => {
  expect(ticksAround(values)).toEqual(ticks)
})

test("ticks enclose all values, and are few", () => {
  const value = fc.double({ min: 1e-3, max: 1e15, noNaN: true })
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 20 }), values => {
      const { min, max, step } = ticksAround(values)
      const slack = step * 1e-6
      expect(min).toBeLessThanOrEqual(Math.min(...values) + slack)
      expect(max).toBeGreaterThanOrEqual(Math.max(...values) - slack)
      expect((max - min) / step).toBeLessThanOrEqual(5.01)
    }),
  )
})

test("decades enclose all values", () => {
  expect(decadesAround([912e9, 53e12])).toEqual({ min: 1e11, max: 1e14 })
  expect(decadesAround([1000])).toEqual({ min: 1000, max: 1000 })
})
