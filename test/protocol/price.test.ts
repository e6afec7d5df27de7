import fc from "fast-check"
import { expect, test } from "vitest"
import {
  amountOf,
  bidOf,
  type Charge,
  CreditsPerSecond,
  chargeIn,
  chargeText,
  formatRate,
  meets,
  mostOf,
  NanoCreditsPerSecond,
  parseRate,
} from "../../src/protocol/price.ts"

const rate = (nano: number) => NanoCreditsPerSecond.parse(nano)
const rates = fc.integer({ min: 0, max: 10 ** 12 - 1 }).map(rate)
const times = fc.integer({ min: 0, max: 86_400_000 })

test("a rate is what was written, to the ninth decimal", () => {
  fc.assert(
    fc.property(rates, nano => {
      expect(parseRate(formatRate(nano))).toBe(nano)
    }),
  )
  const written = [0.00012, 1e-7, 2e-9, 3].map(value => CreditsPerSecond.parse(value))
  expect(written).toEqual([120_000, 100, 2, 3_000_000_000])
})

test.each(["-1", "1000", "0.0000000001", "1e-3", "", "much"])("%j is no rate", text => {
  expect(() => parseRate(text)).toThrow(expect.objectContaining({ code: "bad-argument" }))
})

test("an amount is the exact product, rounded up once to the micro-credit", () => {
  fc.assert(
    fc.property(rates, times, (nano, ms) => {
      const amount = BigInt(amountOf({ per: "second", rate: nano, ms }))
      const exact = BigInt(nano) * BigInt(ms)
      expect(amount * 1_000_000n >= exact).toBe(true)
      expect((amount - 1n) * 1_000_000n < exact || amount === 0n).toBe(true)
    }),
  )
})

test("whatever meets an ask pays it for as long as the shard may run", () => {
  const shard = fc.integer({ min: 0, max: 10 ** 12 })
  fc.assert(
    fc.property(rates, rates, shard, times, (offered, ask, amount, timeMs) => {
      const perSecond = { per: "second", rate: offered } as const
      const perShard = { per: "shard", amount: amount as never } as const
      const asked = mostOf({ per: "second", rate: ask }, timeMs)
      if (meets(perSecond, timeMs, ask)) {
        expect(bidOf(perSecond, ask)).toEqual({ per: "second", rate: ask })
        expect(mostOf(perSecond, timeMs)).toBeGreaterThanOrEqual(asked)
      }
      expect(meets(perShard, timeMs, ask)).toBe(amount >= asked)
      expect(bidOf(perShard, ask)).toEqual(perShard)
      expect(meets(perSecond, timeMs, undefined)).toBe(true)
      expect(bidOf(perSecond, undefined)).toEqual(perSecond)
    }),
  )
})

test("a posting tells a charge as it was", () => {
  fc.assert(
    fc.property(rates, times, (nano, ms) => {
      const charges: Charge[] = [
        { per: "second", rate: nano, ms },
        { per: "shard", amount: ms as never },
      ]
      for (const charge of charges) expect(chargeIn(chargeText(charge))).toEqual(charge)
    }),
  )
  expect(chargeIn({ lease: "l" })).toBeNull()
  expect(chargeIn({ per: "second", rate: "1" })).toBeUndefined()
  expect(chargeIn({ per: "second", rate: "1", ms: "-1" })).toBeUndefined()
  expect(chargeIn({ per: "night" })).toBeUndefined()
})
