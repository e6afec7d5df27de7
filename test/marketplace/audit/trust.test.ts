import fc from "fast-check"
import { expect, test } from "vitest"
import { AUDIT_DEFAULTS as terms } from "../../../src/marketplace/audit/terms.ts"
import {
  type AuditRecord,
  afterFailure,
  afterPass,
  answerAuditProbability,
  auditProbability,
  NO_RECORD,
} from "../../../src/marketplace/audit/trust.ts"

const price = 250_000
const full = 120 * price

function passes(record: AuditRecord, times: number): AuditRecord {
  return Array.from({ length: times }).reduce<AuditRecord>(afterPass, record)
}

test("a new agent is audited always, however much it has at stake", () => {
  expect(auditProbability(NO_RECORD, { bond: full, price }, terms)).toBe(1)
  expect(auditProbability(passes(NO_RECORD, 49), { bond: full, price }, terms)).toBe(1)
  expect(auditProbability(passes(NO_RECORD, 50), { bond: full, price }, terms)).toBe(0.05)
})

test("passing is not enough: what is at stake decides how often", () => {
  const record = passes(NO_RECORD, 1000)
  expect(auditProbability(record, { bond: 6 * price, price }, terms)).toBe(1)
  expect(auditProbability(record, { bond: 12 * price, price }, terms)).toBe(0.5)
  expect(auditProbability(record, { bond: 60 * price, price }, terms)).toBeCloseTo(0.1)
  expect(auditProbability(record, { bond: 1e6 * price, price }, terms)).toBe(0.05)
})

test("trust that was earned on cheap shards is none on dear ones", () => {
  const record = passes(NO_RECORD, 1000)
  expect(auditProbability(record, { bond: full, price }, terms)).toBe(0.05)
  expect(auditProbability(record, { bond: full, price: 20 * price }, terms)).toBe(1)
})

test("a job can ask for more audits, not for fewer", () => {
  const record = passes(NO_RECORD, 1000)
  expect(auditProbability(record, { bond: full, price }, terms, 0.3)).toBe(0.3)
  expect(auditProbability(record, { bond: full, price }, terms, 0.01)).toBe(0.05)
})

test("each failure starts the probation anew, twice as long", () => {
  let record = passes(NO_RECORD, 1000)
  for (const probation of [100, 200, 400]) {
    record = afterFailure(record)
    const before = passes(record, probation - 1)
    expect(auditProbability(before, { bond: full, price }, terms)).toBe(1)
    record = afterPass(before)
    expect(auditProbability(record, { bond: full, price }, terms)).toBe(0.05)
  }
  expect(record).toEqual({ passed: 1700, failed: 3, run: 400 })
})

test("a free shard of an agent without a bond is audited", () => {
  expect(auditProbability(passes(NO_RECORD, 1000), { bond: 0, price: 0 }, terms)).toBe(1)
})

test("whatever the record and the stake, the probability lies between the floor and 1, and more at stake never raises it", () => {
  const record = fc.record({ passed: fc.nat(), failed: fc.nat(2000), run: fc.nat() })
  const bond = fc.maxSafeNat()
  fc.assert(
    fc.property(record, bond, bond, fc.maxSafeNat(), (record, one, other, price) => {
      const [low, high] = [one, other].sort((a, b) => a - b) as [number, number]
      const [rare, often] = [high, low].map(bond => auditProbability(record, { bond, price }, terms))
      expect(rare).toBeGreaterThanOrEqual(terms.floor)
      expect(often).toBeLessThanOrEqual(1)
      expect(rare).toBeLessThanOrEqual(often as number)
    }),
  )
})

test("answers of auditors are audited like proofs, at most every other one", () => {
  const record = passes(NO_RECORD, 1000)
  expect(answerAuditProbability(record, { bond: full, price }, terms)).toBe(0.05)
  expect(answerAuditProbability(NO_RECORD, { bond: full, price }, terms)).toBe(0.5)
})
