import fc from "fast-check"
import { expect, test } from "vitest"
import { forfeit, heldBack } from "../../../src/marketplace/audit/bond.ts"
import { AUDIT_DEFAULTS as terms } from "../../../src/marketplace/audit/terms.ts"

const price = 250_000
const pay = 245_000

test("a tenth of each payment is held back until it is 120 shards' price", () => {
  let bond = 0
  let shards = 0
  for (let held = 1; held > 0; shards++) {
    held = heldBack(pay, { bond, price }, terms)
    expect(held).toBeLessThanOrEqual(pay / 10)
    bond += held
  }
  expect(bond).toBe(120 * price)
  expect(shards).toBe(Math.ceil((120 * price) / (pay / 10)) + 1)
})

test("a bond that is more than full is left alone", () => {
  expect(heldBack(pay, { bond: 121 * price, price }, terms)).toBe(0)
})

test("a forfeited bond is shared out to the micro-credit, and never more than it is", () => {
  expect(forfeit(1000, 30)).toEqual({ paid: 30, destroyed: 970, short: 0 })
  expect(forfeit(20, 30)).toEqual({ paid: 20, destroyed: 0, short: 10 })
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (bond, owed) => {
      const { paid, destroyed, short } = forfeit(bond, owed)
      expect(paid + destroyed).toBe(bond)
      expect(paid + short).toBe(owed)
      expect(Math.min(paid, destroyed, short)).toBeGreaterThanOrEqual(0)
    }),
  )
})
