// Proofs of audited jobs: who is paid, who is not, and what the ledger says of it.
import { setTimeout as sleep } from "node:timers/promises"
import { afterEach, expect, test } from "vitest"
import { AUDIT_DEFAULTS } from "../../src/marketplace/audit/terms.ts"
import type { Terms } from "../../src/marketplace/options.ts"
import type { AuditPolicy } from "../../src/protocol/audit.ts"
import type { FileName } from "../../src/protocol/digest.ts"
import type { JobId } from "../../src/protocol/job.ts"
import { ledgerKey } from "../../src/protocol/ledger-proof.ts"
import { checkLedger } from "../../src/runtime/ledger/check-ledger.ts"
import { ledgerFiles } from "../../src/runtime/ledger/files.ts"
import { checkReceipt, checkRecorded } from "../../src/runtime/proof/verify.ts"
import { AuditedMarket, outcomes, until } from "./audited.ts"
import { prove } from "./client.ts"
import { batchJob, submit } from "./work.ts"
import { type Conduct, honest, proofOf, type Worker } from "./worker.ts"

const REPLICATE: AuditPolicy = { kind: "replicate", copies: 2, quorum: 2, share: 0 }
const JOB = batchJob(1, { audit: REPLICATE })
const PRICE = JOB.pricePerShard ?? 0
const HONEST: Conduct = {}
const MADE_UP: Conduct = { result: () => "made up" }
const BREAKS: Conduct = { result: () => null }
/** A small lead, so that few agents decide a dispute. */
const TERMS: Partial<Terms> = {
  ...{ audit: { ...AUDIT_DEFAULTS, lead: 2 } },
  ...{ leaseMs: 2000, coolOffMs: 100, revealMs: 700 },
}

let market: AuditedMarket

async function open(terms: Partial<Terms> = {}): Promise<void> {
  market = await AuditedMarket.open({ ...TERMS, ...terms })
}
afterEach(() => market[Symbol.asyncDispose]())

/** Workers for the shard of every job here. */
function hire(...conducts: Conduct[]): Promise<Worker[]> {
  return market.hire(JOB, ...conducts)
}

interface Case {
  id: JobId
  claimant: Worker
  /** In the order of their conducts. */
  auditors: Worker[]
}

/** A job whose shard the first one claims; the others take nothing before it is committed. */
async function audited(claimant: Conduct, auditors: Conduct[], job = JOB): Promise<Case> {
  let isCommitted = false
  const later = auditors.map(conduct => ({
    ...conduct,
    takes: () => isCommitted && (conduct.takes?.() ?? true),
  }))
  const [first, ...others] = (await hire(claimant, ...later)) as [Worker, ...Worker[]]
  const id = await submit(market.buyer, job)
  await until(async () => (await market.status(id)).shards[0]?.state === "committed")
  isCommitted = true
  return { id, claimant: first, auditors: others }
}

const accountOf = ({ client }: Pick<Worker, "client">) => client.ask({ type: "account" }, "account")

/** All of the published ledger, checked as anybody would. */
function ledger() {
  const log = ledgerKey(market.buyer.handshake.marketKey)
  const toCheck = { files: ledgerFiles(market.embedded.url), log, witnesses: [], quorum: 0, receipts: null }
  return checkLedger(toCheck, { signal: AbortSignal.timeout(20_000) })
}

test("two who agree are both paid, and the ledger holds both proofs, the verdict and the books", async () => {
  await open()
  const { id } = await audited(HONEST, [HONEST])
  expect(await market.done(id)).toMatchObject({ state: "done", spent: 2 * PRICE })
  await until(async () => market.endings.length === 2)
  const { marketKey } = market.buyer.handshake
  for (const worker of market.workers) {
    const ending = await worker.ending()
    const { answer, lease } = ending
    if (answer?.type !== "receipt") throw new Error(`${answer?.type} instead of a receipt`)
    const due = { proof: proofOf(ending), lease: lease.lease.id, agent: worker.keyId }
    checkRecorded(answer.ledger, marketKey, checkReceipt(answer.bundle, marketKey, due))
    // A tenth is kept back.
    const account = await accountOf(worker)
    expect(account).toMatchObject({ bond: PRICE / 10, own: (PRICE * 9) / 10, earned: PRICE })
  }
  expect((await market.buyer.ask({ type: "account" }, "account")).escrow).toBe(0)
  expect((await ledger()).statements).toBe(3)
})

test("an audit cannot be told from the shard that it runs again", async () => {
  await open()
  await market.done((await audited(HONEST, [HONEST])).id)
  await until(async () => market.endings.length === 2)
  const [one, other] = market.endings.map(({ lease: { shard, job, spec, price } }) => ({
    shard,
    job,
    spec,
    price,
  }))
  expect(one).toEqual(other)
})

test("a cheat is found by those who run its shard again: unpaid, without its bond, and another does the shard", async () => {
  await open()
  let isHonest = true
  const conduct: Conduct = { result: lease => (isHonest ? honest(lease) : "made up") }
  const first = await audited(conduct, [HONEST, HONEST, HONEST, HONEST])
  await market.done(first.id)
  await first.claimant.ending()
  const before = await accountOf(first.claimant)
  expect(before.bond).toBe(PRICE / 10)
  isHonest = false
  const id = await submit(market.buyer, JOB)
  await first.claimant.ending(1)
  expect(await market.done(id)).toMatchObject({
    state: "done",
    shards: [{ agent: expect.not.stringMatching(first.claimant.keyId) }],
  })
  // It may be given the shard more than once.
  const [honestOne, ...after] = outcomes(first.claimant)
  expect([honestOne, ...new Set(after)]).toEqual(["receipt", "audit-failed"])
  expect(await accountOf(first.claimant)).toMatchObject({ earned: before.earned, own: before.own, bond: 0 })
})

test("an auditor that accuses falsely is the one that is wrong, and the claim is paid", async () => {
  await open()
  const { id, claimant, auditors } = await audited(HONEST, [MADE_UP])
  const [liar] = auditors as [Worker]
  await until(async () => (await ledger()).statements === 2)
  await hire(HONEST, HONEST)
  const { shards } = await market.done(id)
  expect(shards[0]).toMatchObject({ agent: claimant.keyId, state: "settled" })
  await until(async () => market.endings.length === 4)
  expect(outcomes(claimant)).toEqual(["receipt"])
  expect(outcomes(liar)).toEqual(["audit-failed"])
})

/** Proven by its first payment: after that it is drawn in one shard of 100,000, where a job asks for no more. */
const PROVEN = { audit: { ...AUDIT_DEFAULTS, lead: 2, deterrence: 1e-6, floor: 1e-6, probation: 0 } }

/** A proven agent hands in a proof that is audited for certain, and then one that is not drawn, before anybody audits the first. */
async function drawnThenNot(isHonest: boolean) {
  await open(PROVEN)
  let areAway = true
  let isCheating = false
  const later: Conduct = { takes: () => !areAway }
  const result: Conduct["result"] = lease => (isCheating ? "made up" : honest(lease))
  const [claimant] = (await hire({ result }, later, later, later, later)) as [Worker]
  const committed = async (share: number) => {
    const id = await submit(market.buyer, {
      ...JOB,
      audit: { kind: "replicate", copies: 2, quorum: 2, share },
    })
    await until(async () => (await market.status(id)).shards[0]?.state === "committed")
    areAway = true
    return id
  }
  const proving = await committed(0)
  areAway = false
  await market.done(proving)
  await claimant.ending()
  areAway = true
  isCheating = !isHonest
  await committed(1)
  isCheating = false
  const undrawn = await committed(0)
  await sleep(800)
  expect((await market.status(undrawn)).shards[0]?.state).toBe("committed")
  areAway = false
  return { claimant, status: await market.done(undrawn) }
}

test("a proof that is not drawn waits for an earlier audit of its agent, and is paid without one of its own", async () => {
  const { claimant, status } = await drawnThenNot(true)
  expect(status).toMatchObject({ state: "done", spent: PRICE, shards: [{ agent: claimant.keyId }] })
})

test("what an agent handed in after a proof that fails is audited for certain", async () => {
  const { claimant, status } = await drawnThenNot(false)
  expect(status.state).toBe("done")
  expect(status.spent).toBeGreaterThanOrEqual(2 * PRICE)
  await until(async () => outcomes(claimant).includes("audit-failed"))
})

test("with three copies, three agents run a shard, however many of them agree before", async () => {
  await open()
  const audit: AuditPolicy = { kind: "replicate", copies: 3, quorum: 2, share: 0 }
  const { id } = await audited(HONEST, [HONEST, HONEST], { ...JOB, audit })
  expect(await market.done(id)).toMatchObject({ state: "done", spent: 3 * PRICE })
})

test("states that break whoever runs them are a wrong answer, not a way out", async () => {
  await open()
  const { id, claimant } = await audited(HONEST, [BREAKS, BREAKS, BREAKS])
  await until(async () => claimant.endings.length === 1)
  expect(outcomes(claimant)).toEqual(["audit-failed"])
  expect((await market.status(id)).shards[0]).toMatchObject({ proof: null, cost: null })
})

test("an auditor that cannot run a shard and is contradicted is not paid, and keeps its bond", async () => {
  await open()
  let canRun = true
  const breaking: Conduct = { result: lease => (canRun ? honest(lease) : null) }
  const first = await audited(HONEST, [breaking])
  const [auditor] = first.auditors as [Worker]
  await market.done(first.id)
  await auditor.ending()
  const before = await accountOf(auditor)
  expect(before.bond).toBe(PRICE / 10)
  canRun = false
  const id = await submit(market.buyer, JOB)
  await until(async () => outcomes(auditor).includes("given back"))
  await hire(HONEST, HONEST, HONEST)
  expect(await market.done(id)).toMatchObject({ state: "done" })
  expect(await accountOf(auditor)).toMatchObject({ bond: before.bond, own: before.own })
})

test("where two differ and nobody else is there, nobody is held wrong or paid for the shard", async () => {
  await open({ unmatchedMs: 600, attempts: 1 })
  const { id, claimant, auditors } = await audited(HONEST, [MADE_UP])
  expect(await market.done(id)).toMatchObject({
    state: "failed",
    reason: expect.stringContaining("no audit could tell whether its result is right"),
    spent: PRICE,
  })
  await until(async () => market.endings.length === 2)
  expect(outcomes(claimant)).toEqual(["audit-undecided"])
  expect(outcomes(auditors[0] as Worker)).toEqual(["receipt"])
  expect((await market.buyer.ask({ type: "account" }, "account")).escrow).toBe(0)
})

test("a lease whose proof waits for its audit takes no second proof, and nobody else's", async () => {
  await open()
  const { claimant, auditors } = await audited(HONEST, [{ takes: () => false }])
  const [other] = auditors as [Worker]
  const { lease, bundle } = claimant.handedIn[0] as Worker["handedIn"][0]
  const held = { lease: lease.lease.id, epoch: lease.lease.epoch }
  const outputs = [{ name: lease.spec.outputs[0] as FileName, ...(await claimant.client.upload("another")) }]
  const second = await prove(claimant.client.identity, lease, outputs)
  expect(await claimant.client.refusal({ type: "proof", ...held, bundle: second })).toBe("proof-mismatch")
  expect(await other.client.refusal({ type: "proof", ...held, bundle })).toBe("lease-stale")
  // The first one is as good as before.
  await claimant.client.ask({ type: "proof", ...held, bundle }, "committed")
})

test("a drawn auditor that takes nothing is given up for another one", async () => {
  await open({ leaseMs: 400 })
  const idle: Conduct = { takes: () => false }
  await hire(idle)
  const { id } = await audited(HONEST, [HONEST])
  expect(await market.done(id)).toMatchObject({ state: "done" })
})

test("an audit goes on where it was after the marketplace was away", async () => {
  await open()
  let isThere = false
  const { id } = await audited(HONEST, [{ takes: () => isThere }])
  await market.restart(JOB)
  isThere = true
  expect(await market.done(id)).toMatchObject({ state: "done", spent: 2 * PRICE })
  await until(async () => market.endings.length === 2)
  expect(market.workers.flatMap(outcomes)).toEqual(["receipt", "receipt"])
})

test("a shard that nobody could audit is offered to nobody, and its job says why", async () => {
  await open()
  await hire(HONEST)
  const id = await submit(market.buyer, JOB)
  await until(async () => (await market.status(id)).reason !== null)
  expect(await market.status(id)).toMatchObject({
    state: "waiting",
    reason: expect.stringContaining("is audited"),
  })
  expect(market.endings).toEqual([])
})

test("a bond is paid out on request, but not while a proof waits for its audit", async () => {
  await open()
  let isThere = false
  const { id, claimant } = await audited(HONEST, [{ takes: () => isThere }])
  expect(await claimant.client.refusal({ type: "release" })).toBe("bond-held")
  isThere = true
  await market.done(id)
  await claimant.ending()
  const account = await claimant.client.ask({ type: "release" }, "account")
  expect(account).toMatchObject({ bond: 0, own: PRICE })
  // Once more moves nothing.
  expect(await claimant.client.ask({ type: "release" }, "account")).toMatchObject({ bond: 0, own: PRICE })
})
