// Shards whose result is known, given in the place of new ones: who passes, who is found, and that they cannot be told apart.
import { setTimeout as sleep } from "node:timers/promises"
import { afterEach, expect, test } from "vitest"
import { AUDIT_DEFAULTS } from "../../src/marketplace/audit/terms.ts"
import type { Terms } from "../../src/marketplace/options.ts"
import { VerdictStatement } from "../../src/protocol/audit-verdict.ts"
import { CanaryStatement } from "../../src/protocol/canary.ts"
import { digestOf, hexOf } from "../../src/protocol/digest.ts"
import type { JobId, JobStatus } from "../../src/protocol/job.ts"
import { openBundle } from "../../src/protocol/statement.ts"
import { type Client, enrol } from "./client.ts"
import { Embedded } from "./market.ts"
import { batchJob, submit } from "./work.ts"
import { type Conduct, type Ending, honest, proofOf, Worker } from "./worker.ts"

const SHARDS = 12
const JOB = batchJob(SHARDS, { audit: { kind: "canary", share: 0 } })
const PRICE = JOB.pricePerShard ?? 0
/** An agent is proven after its first payment, and then every other of its leases is a canary. */
const TERMS: Partial<Terms> = {
  audit: { ...AUDIT_DEFAULTS, deterrence: 0.01, floor: 0.5, probation: 0, lead: 2 },
  ...{ vouched: [JOB.image.digest], feeBasisPoints: 0 },
  ...{ leaseMs: 3000, coolOffMs: 100, unmatchedMs: 3000, attempts: 10 },
}

let market: Embedded
let buyer: Client
let workers: Worker[] = []

async function open(): Promise<void> {
  market = await Embedded.start(TERMS)
  buyer = await enrol(market.url)
}
afterEach(async () => {
  await Promise.all(workers.map(worker => worker.stop()))
  workers = []
  await buyer.close()
  await market.stop()
})

async function hire(...conducts: Conduct[]): Promise<Worker[]> {
  const hired = await Promise.all(conducts.map(conduct => Worker.start(market.url, JOB, conduct)))
  workers.push(...hired)
  return hired
}

async function until(holds: () => Promise<boolean>, limitMs = 30_000): Promise<void> {
  const deadline = performance.now() + limitMs
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${limitMs} ms`)
    await sleep(50)
  }
}

async function statusOf(job: JobId): Promise<JobStatus> {
  return (await buyer.ask({ type: "watch", job }, "job")).status
}

async function done(id: JobId): Promise<JobStatus> {
  await until(async () => ["done", "failed"].includes((await statusOf(id)).state))
  return statusOf(id)
}

const escrow = async () => (await buyer.ask({ type: "account" }, "account")).escrow

function outcomes({ endings }: Worker) {
  return endings.map(({ answer }) => (answer?.type === "refused" ? answer.code : answer?.type))
}

test("honest agents do more shards than the job has, are paid for each, and nothing tells them which were canaries", async () => {
  await open()
  await hire({}, {}, {})
  expect(await done(await submit(buyer, JOB))).toMatchObject({ state: "done" })
  await until(async () => (await escrow()) === 0)
  await until(async () => workers.every(({ handedIn, endings }) => handedIn.length === endings.length))
  const endings = workers.flatMap(worker => worker.endings)
  expect(endings.length).toBeGreaterThan(SHARDS)
  expect(new Set(workers.flatMap(outcomes))).toEqual(new Set(["receipt"]))
  // Nobody is given a shard twice, and every lease names one of the plan, at its price.
  for (const { endings: own } of workers) {
    const labels = own.map(({ lease }) => lease.shard.label)
    expect(new Set(labels).size).toBe(labels.length)
  }
  for (const { lease } of endings) {
    expect(lease.shard.label).toBe(`shard-${lease.shard.index}`)
    expect(lease.shard.index).toBeLessThan(SHARDS)
    expect(lease.price).toEqual({ per: "shard", amount: PRICE })
  }
})

test("an agent that turns to cheating is found by a canary", async () => {
  await open()
  const turns = (after: number): Conduct => {
    let leases = 0
    return { result: lease => (leases++ < after ? honest(lease) : "made up") }
  }
  const [cheat] = (await hire(turns(6), {}, {}, {}, {})) as [Worker]
  const id = await submit(buyer, { ...JOB, shards: batchJob(40).shards })
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
  const response = await fetch(`${market.market.explorer}audits/${hexOf(proofOf(ending))}.json`)
  const statement = openBundle(await response.json(), buyer.handshake.marketKey, VerdictStatement)
  const { result, zg_audit } = statement.predicate
  return { result, ...zg_audit }
}

test("what draws canaries is signed by its digest before the first lease, and told when the job is over", async () => {
  await open()
  const id = await submit(buyer, JOB)
  const statements = async () => {
    const response = await fetch(`${market.market.explorer}jobs/${id}/canaries.json`)
    const all = (await response.json()) as unknown[]
    return all.map(bundle => openBundle(bundle, buyer.handshake.marketKey, CanaryStatement))
  }
  const [before] = await statements()
  expect(before?.predicate).toMatchObject({ job: id, secret: null })
  await hire({}, {}, {})
  await done(id)
  await until(async () => (await statements()).length === 2)
  const [, after] = await statements()
  const secret = Buffer.from(after?.predicate.secret ?? "", "hex")
  expect(secret).toHaveLength(32)
  expect(before?.subject[0].digest.sha256).toBe(hexOf(digestOf(secret)))
})
