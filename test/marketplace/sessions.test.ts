import { afterAll, beforeAll, expect, test } from "vitest"
import { handshakeBytes, randomId } from "../../src/protocol/handshake.ts"
import type { Nonce } from "../../src/protocol/lease.ts"
import type { MarketFrameOf, Resume } from "../../src/protocol/message.ts"
import { Client, connect, enrol, type Identity, newIdentity, Wire } from "../contract/client.ts"
import { Embedded } from "../contract/market.ts"
import { batchJob, finish, leaseOf, slotFor, submit, takeLease } from "../contract/work.ts"

let market: Embedded

beforeAll(async () => {
  market = await Embedded.start({ coolOffMs: 100 })
})
afterAll(() => market.stop())

/** Dials again and asks to go on; gives what was answered. */
async function resume(identity: Identity, { session, received }: Resume, sign: "all" | "less" = "all") {
  const wire = await new Wire(market.url).opened()
  const said = { origin: new URL(market.url).host, resume: { session, received } }
  const nonce = randomId<Nonce>()
  wire.send({ type: "hello", agent: "contract", publicKey: identity.publicKey, nonce, ...said })
  const challenge = await wire.next("challenge")
  const { resume, origin } = said
  const handshake = {
    ...{ origin, session: challenge.session, clientKey: identity.publicKey, clientNonce: nonce },
    ...{ marketKey: challenge.publicKey, marketNonce: challenge.nonce, ...(sign === "all" && { resume }) },
  }
  wire.send({ type: "auth", signature: identity.signNow(handshakeBytes("client", handshake)) })
  const answer = await wire.take(({ type }) => type !== "challenge", "the answer to auth")
  return { wire, answer }
}

/** A client that vanishes without a goodbye. */
async function vanish({ wire }: Client): Promise<void> {
  wire.socket.terminate()
  await wire.closed
}

/** The highest numbered frame that came, in a mailbox of which nothing but the handshake and `answers` was taken. */
const sessionOf = (client: Client, received: number): Resume => ({
  session: client.handshake.session,
  received,
})

test("what was not acknowledged comes again with its old number and what was is forgotten", async () => {
  const client = await enrol(market.url)
  const first = await client.ask({ type: "account" }, "account")
  const second = await client.ask({ type: "jobs" }, "jobList")
  await vanish(client)
  const { wire, answer } = await resume(client.identity, sessionOf(client, first.seq))
  expect(answer).toMatchObject({ type: "resumed", received: client.wire.seq })
  expect(await wire.next("jobList")).toEqual(second)
  wire.seq = client.wire.seq
  expect(await wire.answerTo(wire.send({ type: "account" }))).toMatchObject({ seq: second.seq + 1 })
  expect(wire.inbox).toEqual([])
  await wire.close()
})

test("a frame that came before is dropped, also on the next socket; a gap ends the socket and not the session", async () => {
  const buyer = await enrol(market.url)
  const job = batchJob()
  const key = randomId()
  const submitted = await buyer.ask({ type: "submit", key, job }, "submitted")
  const again = JSON.stringify({ type: "submit", key: randomId(), job, seq: buyer.wire.seq })
  buyer.wire.raw(again)
  expect((await buyer.ask({ type: "jobs" }, "jobList")).jobs).toHaveLength(1)
  buyer.wire.raw(JSON.stringify({ type: "jobs", seq: buyer.wire.seq + 2 }))
  expect(await buyer.wire.next("refused")).toMatchObject({ code: "message-out-of-order" })
  expect((await buyer.wire.closed).code).toBe(1008)
  const { wire, answer } = await resume(buyer.identity, sessionOf(buyer, submitted.seq + 2))
  expect(answer).toMatchObject({ type: "resumed", received: buyer.wire.seq })
  wire.raw(again)
  wire.seq = buyer.wire.seq
  const list = (await wire.answerTo(wire.send({ type: "jobs" }))) as MarketFrameOf<"jobList">
  expect(list.jobs).toHaveLength(1)
  await wire.close()
})

test.each([
  ["a number that was never sent", (own: Resume) => ({ ...own, received: 99 })],
  ["another session", (own: Resume) => ({ ...own, session: randomId<Resume["session"]>() })],
])("%s: a new session begins", async (_, change) => {
  const client = await enrol(market.url)
  await vanish(client)
  const { wire, answer } = await resume(client.identity, change(sessionOf(client, 3)))
  expect(answer).toMatchObject({ type: "welcome", registered: true, seq: 2 })
  await wire.close()
})

test("another key does not get the session, and its holder still does", async () => {
  const client = await enrol(market.url)
  await vanish(client)
  const thief = await resume(newIdentity(), sessionOf(client, 3))
  expect(thief.answer).toMatchObject({ type: "welcome", registered: false })
  const owner = await resume(client.identity, sessionOf(client, 3))
  expect(owner.answer.type).toBe("resumed")
  await Promise.all([thief.wire.close(), owner.wire.close()])
})

test("the signature covers which session goes on", async () => {
  const client = await enrol(market.url)
  await vanish(client)
  const { wire, answer } = await resume(client.identity, sessionOf(client, 3), "less")
  expect(answer).toMatchObject({ type: "refused", code: "signature-wrong" })
  await wire.closed
})

test("a session that was ended with a goodbye is over, and so is its token", async () => {
  const client = await enrol(market.url)
  await client.close()
  expect((await client.fetch("/v2/")).status).toBe(401)
  const { wire, answer } = await resume(client.identity, sessionOf(client, 3))
  expect(answer.type).toBe("welcome")
  await wire.close()
})

test("a new socket takes over at once from one that looks alive, whose frames are heard no more", async () => {
  const client = await enrol(market.url)
  const { wire, answer } = await resume(client.identity, sessionOf(client, 3))
  expect(answer).toMatchObject({ type: "resumed", received: 3 })
  expect((await client.wire.closed).code).toBe(1006)
  expect((await client.fetch("/v2/")).status).toBe(200)
  await wire.close()
})

test("of many sessions that wait for the same identity, the oldest give way", async () => {
  const identity = newIdentity()
  const first = await enrol(market.url, identity)
  await vanish(first)
  const later = []
  for (let count = 0; count < 9; count++) {
    const client = await connect(market.url, identity)
    await vanish(client)
    later.push(client)
  }
  const newest = later.at(-1) as Client
  expect((await resume(identity, sessionOf(first, 3))).answer.type).toBe("welcome")
  expect((await resume(identity, sessionOf(newest, 2))).answer.type).toBe("resumed")
})

test("an acknowledgement goes by itself when nothing else carries it", async () => {
  const client = await enrol(market.url)
  client.wire.send({ type: "capacity", slots: [] })
  expect(await client.wire.next("ack")).toMatchObject({ seq: 0, ack: 4 })
  await client.close()
})

test("only passing messages may go without a number", async () => {
  const client = await enrol(market.url)
  client.wire.raw(JSON.stringify({ type: "account", seq: 0 }))
  expect(await client.wire.next("refused")).toMatchObject({ code: "message-malformed" })
  const progress = { type: "progress", lease: randomId(), epoch: 1, step: 1, steps: 2, loss: null, seq: 0 }
  client.wire.raw(JSON.stringify(progress))
  const refused = await client.wire.next("refused")
  expect(refused.code).toBe("lease-unknown")
  expect(refused.re).toBeUndefined()
  await client.close()
})

test("an agent whose socket is lost is offered nothing until it is back, and keeps its lease and its other offer", async () => {
  const [agent, buyer] = [await enrol(market.url), await enrol(market.url)]
  const job = batchJob()
  const leased = await leaseOf(agent, buyer, job)
  await vanish(agent)
  const other = await submit(buyer, job)
  const { status } = await buyer.ask({ type: "watch", job: other }, "job")
  expect(status.state).toBe("waiting")
  const { wire } = await resume(agent.identity, sessionOf(agent, leased.seq))
  wire.seq = agent.wire.seq
  const back = new Client(wire, agent.identity, agent.handshake, { token: agent.token } as never)
  await back.ask({ type: "renew", lease: leased.lease.id, epoch: 1 }, "renewed")
  await finish(back, leased)
  await finish(back, await takeLease(back, other))
  await Promise.all([back.close(), buyer.close()])
})

const held = ({ lease }: MarketFrameOf<"lease">) => ({ lease: lease.id, epoch: lease.epoch })

test("a lease that the agent does not hold in a new session is given back at once, and costs no attempt", async () => {
  const [agent, buyer] = [await enrol(market.url), await enrol(market.url)]
  const job = batchJob(2)
  const slots = [slotFor(job, "one"), slotFor(job, "two")]
  agent.wire.send({ type: "capacity", slots, holding: [] })
  const id = await submit(buyer, job)
  const [lost, kept] = [await takeLease(agent, id), await takeLease(agent, id)]
  await vanish(agent)
  const back = await connect(market.url, agent.identity)
  back.wire.send({ type: "capacity", slots, holding: [held(kept)] })
  const again = await takeLease(back, id)
  expect(held(again)).toEqual({ lease: lost.lease.id, epoch: 2 })
  await finish(back, again)
  await finish(back, kept)
  const { status } = await buyer.ask({ type: "watch", job: id }, "job")
  expect(status.shards.map(({ attempt, state }) => [attempt, state])).toEqual([
    [0, "settled"],
    [0, "settled"],
  ])
  await Promise.all([back.close(), buyer.close()])
})

test("a lease granted in this session stays, whatever its capacity says: the lease may be under way", async () => {
  const [agent, buyer] = [await enrol(market.url), await enrol(market.url)]
  const job = batchJob()
  const leased = await leaseOf(agent, buyer, job)
  agent.wire.send({ type: "capacity", slots: [slotFor(job)], holding: [] })
  await agent.ask({ type: "renew", ...held(leased) }, "renewed")
  await finish(agent, leased)
  await Promise.all([agent.close(), buyer.close()])
})

test("what the agent holds and the marketplace does not is cancelled with a reason; what is settled is not", async () => {
  const [agent, buyer] = [await enrol(market.url), await enrol(market.url)]
  const job = batchJob(2)
  const slots = [slotFor(job)]
  agent.wire.send({ type: "capacity", slots })
  const id = await submit(buyer, job)
  const settled = await takeLease(agent, id)
  await finish(agent, settled)
  const gone = await takeLease(agent, id)
  await agent.ask({ type: "abandon", ...held(gone), code: "shard-failed", message: "gone" }, "abandoned")
  const foreign = { lease: randomId<typeof gone.lease.id>(), epoch: 1 }
  await vanish(agent)
  const back = await connect(market.url, agent.identity)
  back.wire.send({ type: "capacity", slots: [], holding: [held(settled), held(gone), foreign] })
  expect(await back.wire.next("cancel")).toMatchObject({
    ...held(gone),
    reason: expect.stringContaining("given back"),
  })
  expect(await back.wire.next("cancel")).toMatchObject({
    ...foreign,
    reason: expect.stringContaining("no such lease"),
  })
  await back.ask({ type: "account" }, "account")
  expect(back.wire.inbox.map(({ type }) => type)).toEqual([])
  await Promise.all([back.close(), buyer.close()])
})

test("an abandon can be repeated, also for a lease that somebody else holds now, and counts once", async () => {
  const [agent, buyer] = [await enrol(market.url), await enrol(market.url)]
  const job = batchJob()
  const leased = await leaseOf(agent, buyer, job)
  const abandon = { type: "abandon", ...held(leased), code: "shard-failed", message: "exit code 3" } as const
  for (let times = 0; times < 3; times++)
    expect(await agent.ask(abandon, "abandoned")).toMatchObject(held(leased))
  const next = await takeLease(agent, leased.job)
  expect(next.lease.epoch).toBe(2)
  await agent.ask(abandon, "abandoned")
  await finish(agent, next)
  const { status } = await buyer.ask({ type: "watch", job: leased.job }, "job")
  expect(status.shards).toMatchObject([{ attempt: 1, state: "settled" }])
  await agent.ask({ ...abandon, lease: randomId<typeof abandon.lease>() }, "abandoned")
  await Promise.all([agent.close(), buyer.close()])
})
