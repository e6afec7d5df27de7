import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { connect, enrol, prove } from "./client.ts"
import { Embedded, FOREIGN } from "./market.ts"
import { skip } from "./skip.ts"
import { batchJob, finish, leaseOf, slotFor, submit, takeLease, uploadOutputs } from "./work.ts"

const LEASE_MS = 800
const WHY = "needs leases of under a second and a restart, which only the embedded marketplace allows"

let market: Embedded

beforeAll(async () => {
  if (!FOREIGN)
    market = await Embedded.start({
      leaseMs: LEASE_MS,
      offerMs: 400,
      coolOffMs: 300,
      unmatchedMs: 700,
      attempts: 2,
    })
})
beforeEach(context => {
  if (FOREIGN) skip(context, WHY)
})
afterAll(() => market?.stop())

const pairOf = async () => ({ agent: await enrol(market.url), buyer: await enrol(market.url) })

test("a lease that runs out is offered again at a higher epoch, and the old one is stale", async () => {
  const { agent, buyer } = await pairOf()
  const job = batchJob()
  const old = await leaseOf(agent, buyer, job)
  const other = await enrol(market.url)
  other.wire.send({ type: "capacity", slots: [slotFor(job)] })
  const held = { lease: old.lease.id, epoch: old.lease.epoch }
  expect(await agent.wire.next("cancel")).toMatchObject(held)
  const outputs = await uploadOutputs(agent, old)
  const bundle = await prove(agent.identity, old, outputs)
  expect(await agent.refusal({ type: "proof", ...held, bundle })).toBe("lease-stale")
  expect(await agent.refusal({ type: "renew", ...held })).toBe("lease-stale")
  const next = await takeLease(other, old.job)
  expect(next.lease).toMatchObject({ id: old.lease.id, epoch: 2 })
  expect(next.lease.nonce).not.toBe(old.lease.nonce)
  expect(await agent.refusal({ type: "proof", ...held, bundle })).toBe("lease-stale")
  await finish(other, next)
  expect((await agent.ask({ type: "account" }, "account")).earned).toBe(0)
  await Promise.all([agent.close(), buyer.close(), other.close()])
})

test("a renewed lease goes on, and its proof repeats what was granted", async () => {
  const { agent, buyer } = await pairOf()
  const leased = await leaseOf(agent, buyer)
  const held = { lease: leased.lease.id, epoch: 1 }
  for (let renewals = 0; renewals < 4; renewals++) {
    await new Promise(resolve => setTimeout(resolve, LEASE_MS / 2))
    const { notAfter } = await agent.ask({ type: "renew", ...held }, "renewed")
    expect(Date.parse(notAfter)).toBeGreaterThan(Date.parse(leased.lease.notAfter))
  }
  await finish(agent, leased)
  await Promise.all([agent.close(), buyer.close()])
})

test("a lease outlives the connection of its holder", async () => {
  const { agent, buyer } = await pairOf()
  const leased = await leaseOf(agent, buyer)
  await agent.close()
  const back = await connect(market.url, agent.identity)
  await back.ask({ type: "renew", lease: leased.lease.id, epoch: 1 }, "renewed")
  await finish(back, leased)
  await Promise.all([back.close(), buyer.close()])
})

test("an offer that nobody answers is withdrawn, and made again later", async () => {
  const { agent, buyer } = await pairOf()
  const job = batchJob()
  agent.wire.send({ type: "capacity", slots: [slotFor(job)] })
  const id = await submit(buyer, job)
  const { offer } = await agent.wire.next("offer")
  expect(await agent.wire.next("withdrawn")).toMatchObject({ offer })
  expect(await agent.refusal({ type: "accept", offer })).toBe("offer-gone")
  await takeLease(agent, id)
  await Promise.all([agent.close(), buyer.close()])
})

test("a shard abandoned too often fails its job, and the rest is refunded", async () => {
  const { agent, buyer } = await pairOf()
  const { balance } = await buyer.ask({ type: "account" }, "account")
  const job = batchJob(2)
  agent.wire.send({ type: "capacity", slots: [slotFor(job)] })
  const id = await submit(buyer, job)
  await buyer.ask({ type: "watch", job: id }, "job")
  const failed = buyer.wire.take(frame => frame.type === "job" && frame.status.state === "failed", "failure")
  const attempts = async () => {
    for (;;) {
      const { lease } = await takeLease(agent, id)
      const held = { lease: lease.id, epoch: lease.epoch }
      agent.wire.send({ type: "abandon", ...held, code: "shard-failed", message: "exit code 3" })
    }
  }
  const end = await Promise.race([failed, attempts()])
  expect(end).toMatchObject({ status: { reason: expect.stringContaining("exit code 3"), spent: 0 } })
  expect(await buyer.ask({ type: "account" }, "account")).toMatchObject({ balance, escrow: 0 })
  await Promise.all([agent.close(), buyer.close()])
})

test("a job that no agent could run fails in the end, and is refunded", async () => {
  const buyer = await enrol(market.url)
  const id = await submit(buyer, batchJob())
  await buyer.ask({ type: "watch", job: id }, "job")
  const end = await buyer.wire.take(
    frame => frame.type === "job" && frame.status.state === "failed",
    "failure",
  )
  expect(end).toMatchObject({ status: { reason: expect.stringContaining("job-unmatched") } })
  expect(await buyer.ask({ type: "account" }, "account")).toMatchObject({ escrow: 0, spent: 0 })
  await buyer.close()
})

test("a restart in the middle of a lease: the agent comes back, proves, and is paid once", async () => {
  const { agent, buyer } = await pairOf()
  const leased = await leaseOf(agent, buyer)
  const outputs = await uploadOutputs(agent, leased)
  const bundle = await prove(agent.identity, leased, outputs)
  await market.restart()
  const back = await connect(market.url, agent.identity)
  expect(back.registered).toBe(true)
  const proof = { type: "proof", lease: leased.lease.id, epoch: 1, bundle } as const
  const receipt = await back.ask(proof, "receipt")
  await market.restart()
  const again = await connect(market.url, agent.identity)
  expect((await again.ask(proof, "receipt")).bundle).toEqual(receipt.bundle)
  const owner = await connect(market.url, buyer.identity)
  const { status } = await owner.ask({ type: "watch", job: leased.job }, "job")
  expect(status).toMatchObject({ state: "done", spent: 1_000_000 })
  const { earned } = await again.ask({ type: "account" }, "account")
  expect(earned).toBe(980_000)
  await Promise.all([again.close(), owner.close()])
})
