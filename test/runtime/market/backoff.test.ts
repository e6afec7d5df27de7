import fc from "fast-check"
import { expect, test } from "vitest"
import { backoffMs, FIRST_BACKOFF_MS, LONGEST_BACKOFF_MS } from "../../../src/runtime/market/backoff.ts"

const failures = fc.nat(2000)
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

test("a pause lies anywhere between nothing and the bound, which doubles up to its cap", () => {
  fc.assert(
    fc.property(failures, random, (failed, chance) => {
      const bound = backoffMs(failed, 1)
      expect(bound).toBeLessThanOrEqual(LONGEST_BACKOFF_MS)
      expect(backoffMs(failed + 1, 1)).toBe(Math.min(LONGEST_BACKOFF_MS, bound * 2))
      expect(backoffMs(failed, chance)).toBe(chance * bound)
    }),
  )
  expect(backoffMs(0, 1)).toBe(FIRST_BACKOFF_MS)
  expect(backoffMs(0, 0)).toBe(0)
})
