import fc from "fast-check"
import { expect, test } from "vitest"
import {
  chanceOfCatch,
  chanceOfWrongVerdict,
  deterrenceOf,
  gainOfBurst,
  gainOfCheat,
  gainOfRing,
  overheadOf,
  shareAhead,
} from "../../../src/marketplace/audit/economics.ts"
import { fullBond, AUDIT_DEFAULTS as terms } from "../../../src/marketplace/audit/terms.ts"
import { auditProbability } from "../../../src/marketplace/audit/trust.ts"

const SEGMENTS = 10
const DRAWN = 2
const floor = { audited: terms.floor, bond: fullBond(terms) }
const isNew = { audited: 1, bond: 0 }
const cheats = Array.from({ length: SEGMENTS }, (_, n) => ({ segments: SEGMENTS, wrong: n + 1 }))

test("the chance of being seen is the share of all draws that hold a wrong segment", () => {
  const draws = Array.from({ length: 2 ** 7 }, (_, mask) => mask)
  const sizeOf = (mask: number) => mask.toString(2).replaceAll("0", "").length
  for (let wrong = 0; wrong <= 7; wrong++)
    for (let drawn = 0; drawn <= 7; drawn++) {
      const all = draws.filter(mask => sizeOf(mask) === drawn)
      const seeing = all.filter(mask => (mask & (2 ** wrong - 1)) !== 0)
      expect(chanceOfCatch({ segments: 7, wrong }, drawn)).toBeCloseTo(seeing.length / all.length, 12)
    }
})

const anyCheat = fc
  .record({ segments: fc.integer({ min: 1, max: 1024 }), wrong: fc.nat(), drawn: fc.nat() })
  .map(({ segments, wrong, drawn }) => ({
    cheat: { segments, wrong: 1 + (wrong % segments) },
    drawn: 1 + (drawn % segments),
  }))

test("whatever an agent's record, stake and price, no cheat of any size pays on average", () => {
  const price = 1_000_000
  const record = fc.record({ passed: fc.nat(), failed: fc.nat(5), run: fc.nat(1000) })
  fc.assert(
    fc.property(anyCheat, record, fc.nat(1_000_000_000), ({ cheat, drawn }, record, bond) => {
      const audited = auditProbability(record, { bond, price }, terms)
      expect(gainOfCheat(cheat, drawn, { audited, bond: bond / price })).toBeLessThanOrEqual(1e-12)
    }),
    { numRuns: 2000 },
  )
})

test("at the floor each credit of a cheat costs at least six, whether one segment is skipped or all", () => {
  for (const cheat of cheats) expect(deterrenceOf(cheat, DRAWN, floor)).toBeGreaterThan(6)
})

test("at the floor at least 99 % of those who cheat until they are found end behind honest work", () => {
  for (const cheat of cheats) expect(shareAhead(cheat, DRAWN, floor)).toBeLessThan(0.01)
})

test("a new identity gains nothing: all of it is seen, and it has no pay to lose yet", () => {
  for (const cheat of cheats) expect(gainOfCheat(cheat, DRAWN, isNew)).toBeLessThanOrEqual(0)
})

test("cheating in many shards at once, before the first is judged, pays no more than one by one", () => {
  for (const cheat of cheats)
    for (const odds of [floor, isNew, { audited: 0.5, bond: 12 }]) {
      expect(gainOfBurst(cheat, DRAWN, odds, 1)).toBeCloseTo(gainOfCheat(cheat, DRAWN, odds), 12)
      for (const shards of [2, 5, 20, 100, 1000, 100_000])
        expect(gainOfBurst(cheat, DRAWN, odds, shards)).toBeLessThanOrEqual(1e-9)
    }
})

test("a ring of nobody is a cheat alone, and rings of up to two fifths of all auditors lose", () => {
  for (const cheat of cheats)
    for (const odds of [floor, isNew]) {
      const alone = gainOfRing(cheat, DRAWN, odds, { share: 0, voucher: floor, lead: 6 })
      expect(alone).toBeCloseTo(gainOfCheat(cheat, DRAWN, odds), 12)
      for (const share of [0.05, 0.1, 0.2, 0.4])
        expect(gainOfRing(cheat, DRAWN, odds, { share, voucher: floor, lead: 6 })).toBeLessThan(0)
    }
})

test("if nobody audited the auditors, a new identity in a ring would earn by cheating", () => {
  const ring = { share: 0.2, voucher: { ...floor, audited: 0 }, lead: 6 }
  expect(gainOfRing({ segments: 10, wrong: 10 }, DRAWN, isNew, ring)).toBeGreaterThan(0)
})

test("a lead of six is the least by which a ring of a fifth misleads under one dispute in a thousand by far", () => {
  expect(chanceOfWrongVerdict(0.2, 1)).toBeCloseTo(0.2)
  expect(chanceOfWrongVerdict(0.2, 6)).toBeLessThan(0.0003)
  expect(chanceOfWrongVerdict(0.5, 6)).toBe(0.5)
})

test("audits of agents at the floor are at most a tenth of the work, even where whole shards are re-run", () => {
  const before = overheadOf(5_000, 1, terms)
  const after = overheadOf(10_000, 1, terms)
  expect(2 * after - before).toBeCloseTo(terms.floor / (1 - terms.floor), 9)
  expect(2 * after - before).toBeLessThan(0.1)
  expect(overheadOf(50, 1, terms)).toBeCloseTo(1 / (1 - terms.floor))
})
