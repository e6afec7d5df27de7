// Shards whose result is known, given in the place of new ones: who passes, who is found, and that they cannot be told apart.
import { afterEach, expect, test } from "vitest"
import { AUDIT_DEFAULTS } from "../../src/marketplace/audit/terms.ts"
import type { Terms } from "../../src/marketplace/options.ts"
import { VerdictStatement } from "../../src/protocol/audit-verdict.ts"
import { CanaryStatement } from "../../src/protocol/canary.ts"
import { digestOf, hexOf } from "../../src/protocol/digest.ts"
import { openBundle } from "../../src/protocol/statement.ts"
import { AuditedMarket, outcomes, until } from "./audited.ts"
import { batchJob, submit } from "./work.ts"
import { type Conduct, type Ending, honest, proofOf, type Worker } from "./worker.ts"

const SHARDS = 12
const JOB = batchJob(SHARDS, { audit: { kind: "canary", share: 0 } })
const PRICE = JOB.pricePerShard ?? 0
/** An agent is proven after its first payment, and then every other of its leases is a canary. */
const TERMS: Partial<Terms> = {
  audit: { ...AUDIT_DEFAULTS, deterrence: 0.01, floor: 0.5, probation: 0, lead: 2 },
  ...{ leaseMs: 3000, coolOffMs: 100, unmatchedMs: 3000, attempts: 10 },
}

let market: AuditedMarket

async function open(terms: Partial<Terms> = {}): Promise<void> {
  market = await AuditedMarket.open({ ...TERMS, ...terms })
}
afterEach(() => market[Symbol.asyncDispose]())

function hire(...conducts: Conduct[]): Promise<Worker[]> {
  return market.hire(JOB, ...conducts)
}

const escrow = async () => (await market.buyer.ask({ type: "account" }, "account")).escrow

test("honest agents do more shards than the job has, are paid for each, and nothing tells them which were canaries", async () => {
  await open()
  await hire({}, {}, {})
  expect(await market.done(await submit(market.buyer, JOB))).toMatchObject({ state: "done" })
  await until(async () => (await escrow()) === 0)
  await until(async () => market.workers.every(({ handedIn, endings }) => handedIn.length === endings.length))
  const endings = market.workers.flatMap(worker => worker.endings)
  expect(endings.length).toBeGreaterThan(SHARDS)
  expect(new Set(market.workers.flatMap(outcomes))).toEqual(new Set(["receipt"]))
  // Nobody is given a shard twice, and every lease names one of the plan, at its price.
  for (const { endings: own } of market.workers) {
    const labels = own.map(({ lease }) => lease.shard.label)
    expect(new Set(labels).size).toBe(labels.length)
  }
  for (const { lease } of endings) {
    expect(lease.shard.label).toBe(`shard-${lease.shard.index}`)
    expect(lease.shard.index).toBeLessThan(SHARDS)
    expect(lease.price).toEqual({ per: "shard", amount: PRICE })
  }
})

test("an agent that cheats in a shard whose result is known is found", async () => {
  await open()
  const settled = new Set<string>()
  // It only cheats where somebody else has been paid: an agent cannot know that, a test can.
  const [cheat] = (await hire(
    { result: lease => (settled.has(lease.shard.label) ? "made up" : honest(lease)) },
    {},
    {},
    {},
  )) as [Worker]
  const id = await submit(market.buyer, { ...JOB, shards: batchJob(40).shards })
  const look = async () => {
    for (const { label, state } of (await market.status(id)).shards)
      if (state === "settled") settled.add(label)
  }
  await until(async () => {
    await look()
    return outcomes(cheat).includes("audit-failed")
  })
  // A canary is given to one agent: nobody else was drawn among.
  const canaries = async () => {
    const failed = cheat.endings.filter(({ answer }) => answer?.type === "refused")
    const verdicts = await Promise.all(failed.map(verdictOn))
    return verdicts.filter(({ parts }) =>
      parts.some(({ draws }) =>
        draws.some(one => one.auditor === cheat.keyId && one.candidates.length === 0),
      ),
    )
  }
  await until(async () => (await canaries()).length > 0)
  const [verdict] = await canaries()
  expect(verdict).toMatchObject({ job: id, result: "FAILED", agent: cheat.keyId })
  expect(verdict?.parts[0]?.wrong).toEqual([cheat.keyId])
})

async function verdictOn(ending: Ending) {
  const response = await fetch(`${market.embedded.market.explorer}audits/${hexOf(proofOf(ending))}.json`)
  const statement = openBundle(await response.json(), market.buyer.handshake.marketKey, VerdictStatement)
  const { result, zg_audit } = statement.predicate
  return { result, ...zg_audit }
}

test("what draws canaries is signed by its digest before the first lease, and told when the job is over", async () => {
  await open()
  const id = await submit(market.buyer, JOB)
  const statements = async () => {
    const response = await fetch(`${market.embedded.market.explorer}jobs/${id}/canaries.json`)
    const all = (await response.json()) as unknown[]
    return all.map(bundle => openBundle(bundle, market.buyer.handshake.marketKey, CanaryStatement))
  }
  const [before] = await statements()
  expect(before?.predicate).toMatchObject({ job: id, secret: null })
  await hire({}, {}, {})
  await market.done(id)
  await until(async () => (await statements()).length === 2)
  const [, after] = await statements()
  const secret = Buffer.from(after?.predicate.secret ?? "", "hex")
  expect(secret).toHaveLength(32)
  expect(before?.subject[0].digest.sha256).toBe(hexOf(digestOf(secret)))
})
