import fc from "fast-check"
import { expect, test } from "vitest"
import { Credits, formatCredits } from "../../src/protocol/credits.ts"

test("credits are read to the micro-credit", () => {
  expect(Credits.parse("0.25")).toBe(250_000)
  expect(Credits.parse(3)).toBe(3_000_000)
  expect(Credits.parse("0.000001")).toBe(1)
})

test.each(["-1", "0.0000001", "1e3", "", "1.", "0x10", "12345678901"])("%j is refused", text => {
  expect(Credits.safeParse(text).success).toBe(false)
})

test("what is written can be read back", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 999_999_999_999_999 }), micro => {
      expect(Credits.parse(formatCredits(micro))).toBe(micro)
    }),
  )
})
