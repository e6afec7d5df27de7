import { afterEach, beforeEach, expect, test } from "vitest"
import type { MarketFrameOf } from "../../../src/protocol/message.ts"
import { type Client, connect, enrol, type Identity, newIdentity, prove } from "../../contract/client.ts"
import { Embedded } from "../../contract/market.ts"
import { batchJob, slotFor, submit, uploadOutputs } from "../../contract/work.ts"
import { TcpProxy } from "./proxy.ts"
import { Serving } from "./serving.ts"

const PRICE = 1_000_000
const PAID = 980_000

let market: Embedded
let proxy: TcpProxy
let buyer: Client
let identity: Identity
/** A bare connection of the agent's identity, for uploads and its account. */
let direct: Client

beforeEach(async () => {
  // Offers outlive every pause before dialling again.
  market = await Embedded.start({ coolOffMs: 100, offerMs: 60_000 })
  proxy = await TcpProxy.before(market.url)
  buyer = await enrol(market.url)
  identity = newIdentity()
  direct = await enrol(market.url, identity)
})
afterEach(async () => {
  await proxy.close()
  await market.stop()
})

async function proofOf(leased: MarketFrameOf<"lease">) {
  const bundle = await prove(identity, leased, await uploadOutputs(direct, leased))
  return { type: "proof", lease: leased.lease.id, epoch: leased.lease.epoch, bundle } as const
}

const jobOf = async (id: MarketFrameOf<"lease">["job"]) =>
  (await buyer.ask({ type: "watch", job: id }, "job")).status

const earned = async () => (await direct.ask({ type: "account" }, "account")).earned

test.each([
  ["before the lease is on its way", 0],
  ["in the middle of the lease's frame", 0.5],
  ["when the lease has arrived", 1],
])("cut between accept and lease, %s: the shard is leased once, and its holder knows", async (_, share) => {
  const job = batchJob()
  const agent = new Serving(proxy.url, identity, [slotFor(job)])
  const cut = proxy.cutAt('"type":"lease"', { share })
  const id = await submit(buyer, job)
  const leased = await agent.take()
  await cut
  expect(leased.lease.epoch).toBe(1)
  await agent.request({ type: "renew", lease: leased.lease.id, epoch: 1 }, "renewed")
  await agent.request(await proofOf(leased), "receipt")
  expect(agent.sessions).toHaveLength(1)
  expect(proxy.dialled).toBe(2)
  expect(await jobOf(id)).toMatchObject({ state: "done", spent: PRICE, shards: [{ attempt: 0 }] })
  expect(await earned()).toBe(PAID)
  await agent.stop()
})

test("an accept that never arrived is sent again on the next socket", async () => {
  const job = batchJob()
  const agent = new Serving(proxy.url, identity, [slotFor(job)])
  await submit(buyer, job)
  const { offer } = await agent.next("offer")
  proxy.swallowUp()
  const leased = agent.link.requestOnce({ type: "accept", offer }, "lease", agent.signal)
  proxy.cut()
  expect((await leased).lease.epoch).toBe(1)
  expect(agent.sessions).toHaveLength(1)
  await agent.stop()
})

test.each([0, 0.3])(
  "cut between proof and receipt, %d of it arrived: paid once, and the receipt comes",
  async share => {
    const job = batchJob()
    const agent = new Serving(proxy.url, identity, [slotFor(job)])
    const id = await submit(buyer, job)
    const proof = await proofOf(await agent.take())
    const cut = proxy.cutAt('"type":"receipt"', { share })
    const receipt = await agent.request(proof, "receipt")
    await cut
    expect((await agent.request(proof, "receipt")).bundle).toEqual(receipt.bundle)
    expect(agent.sessions).toHaveLength(1)
    expect(await jobOf(id)).toMatchObject({ state: "done", spent: PRICE })
    expect(await earned()).toBe(PAID)
    await agent.stop()
  },
)

test("an answer that vanished on the way: the next one shows the gap, and both come on a new socket", async () => {
  const agent = new Serving(proxy.url, identity, [])
  await agent.request({ type: "jobs" }, "jobList")
  const lost = proxy.lose('"type":"account"')
  const first = agent.request({ type: "account" }, "account")
  await lost
  const second = agent.request({ type: "jobs" }, "jobList")
  expect((await second).seq).toBe((await first).seq + 1)
  expect(proxy.dialled).toBe(2)
  expect(agent.sessions).toHaveLength(1)
  await agent.stop()
})

test("a half-open socket: silence is noticed, a new one takes the session over, and the old one is ended", async () => {
  const job = batchJob()
  const agent = new Serving(proxy.url, identity, [slotFor(job)], 2000)
  await submit(buyer, job)
  const leased = await agent.take()
  const { closed } = proxy.deafen()
  const renewed = agent.request({ type: "renew", lease: leased.lease.id, epoch: 1 }, "renewed")
  await expect(renewed).resolves.toMatchObject({ epoch: 1 })
  // The marketplace's own ping would take longer than this test may.
  await closed
  expect(agent.sessions).toHaveLength(1)
  await agent.stop()
})

test("a marketplace that restarted before the lease arrived: a new session, and the shard is ready again at once", async () => {
  const job = batchJob()
  const agent = new Serving(proxy.url, identity, [slotFor(job)])
  const cut = proxy.cutAt('"type":"lease"')
  const id = await submit(buyer, job)
  const lost = agent.take()
  const refusal = expect(lost).rejects.toMatchObject({ code: "market-lost" })
  await cut
  await market.restart()
  await refusal
  expect(agent.sessions.length).toBeGreaterThan(1)
  buyer = await connect(market.url, buyer.identity)
  direct = await connect(market.url, identity)
  const leased = await agent.take()
  expect(leased.lease.epoch).toBe(2)
  await agent.request(await proofOf(leased), "receipt")
  expect(await jobOf(id)).toMatchObject({ state: "done", spent: PRICE, shards: [{ attempt: 0 }] })
  expect(await earned()).toBe(PAID)
  await agent.stop()
})

test("a marketplace that restarted before the receipt arrived: the proof goes again, in a session that holds the lease", async () => {
  const job = batchJob()
  const agent = new Serving(proxy.url, identity, [slotFor(job)])
  const id = await submit(buyer, job)
  const leased = await agent.take()
  agent.holding = [{ lease: leased.lease.id, epoch: leased.lease.epoch }]
  const proof = await proofOf(leased)
  const cut = proxy.cutAt('"type":"receipt"')
  const receipt = agent.request(proof, "receipt")
  await cut
  await market.restart()
  await receipt
  buyer = await connect(market.url, buyer.identity)
  direct = await connect(market.url, identity)
  expect(await jobOf(id)).toMatchObject({ state: "done", spent: PRICE })
  expect(await earned()).toBe(PAID)
  await agent.stop()
})

test("the registry's token goes on while the socket is lost and after it, and ends with the session", async () => {
  const agent = new Serving(proxy.url, identity, [])
  await agent.request({ type: "account" }, "account")
  const { token } = agent.link
  const status = async () =>
    (await fetch(`${direct.http}/v2/`, { headers: { Authorization: `Bearer ${token}` } })).status
  expect(await status()).toBe(200)
  proxy.cut()
  expect(await status()).toBe(200)
  await agent.request({ type: "account" }, "account")
  expect(await status()).toBe(200)
  expect(agent.link.token).toBe(token)
  await agent.stop()
  await expect.poll(status).toBe(401)
})

test("a job of many shards over a slow line that is cut again and again: each shard is leased, proved and paid once", {
  timeout: 90_000,
}, async () => {
  const job = batchJob(8)
  const slots = [slotFor(job, "one"), slotFor(job, "two")]
  const agent = new Serving(proxy.url, identity, slots)
  proxy.delayMs = () => Math.random() * 20
  const receipts = new Map<string, unknown>()
  const work = async () => {
    const leased = await agent.take()
    const held = { lease: leased.lease.id, epoch: leased.lease.epoch }
    expect(held.epoch).toBe(1)
    await agent.request({ type: "renew", ...held }, "renewed")
    expect(receipts.has(held.lease)).toBe(false)
    receipts.set(held.lease, (await agent.request(await proofOf(leased), "receipt")).bundle)
  }
  let cut = proxy.cutAt('"type":"offer"')
  const id = await submit(buyer, job)
  for (const [index, moment] of ["lease", "renewed", "receipt", "lease"].entries()) {
    await cut
    cut = proxy.cutAt(`"type":"${moment}"`, { share: index / 4 })
    await Promise.all([work(), work()])
  }
  await cut
  expect(proxy.dialled).toBe(6)
  expect(receipts.size).toBe(8)
  expect(agent.sessions).toHaveLength(1)
  const status = await jobOf(id)
  expect(status).toMatchObject({ state: "done", spent: 8 * PRICE })
  expect(status.shards.map(({ attempt, state }) => ({ attempt, state }))).toEqual(
    Array(8).fill({ attempt: 0, state: "settled" }),
  )
  expect(await earned()).toBe(8 * PAID)
  await agent.stop()
})
