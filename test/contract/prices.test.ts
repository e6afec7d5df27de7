import { setTimeout as sleep } from "node:timers/promises"
import { afterAll, beforeAll, expect, test } from "vitest"
import { KeyId } from "../../src/protocol/keys.ts"
import type { ClientMessage, MarketFrameOf } from "../../src/protocol/message.ts"
import { amountOf, type Charge, NanoCreditsPerSecond } from "../../src/protocol/price.ts"
import type { ProofStatement } from "../../src/protocol/proof.ts"
import { bundleDigest } from "../../src/protocol/statement.ts"
import { checkCharge, checkProof, checkReceipt, checkRecorded } from "../../src/runtime/proof/verify.ts"
import { type Client, enrol, prove } from "./client.ts"
import { Embedded, FOREIGN } from "./market.ts"
import { batchJob, slotFor, submit, takeLease, uploadOutputs } from "./work.ts"

let embedded: Embedded | undefined
let url: string

beforeAll(async () => {
  embedded = FOREIGN ? undefined : await Embedded.start()
  url = FOREIGN ?? embedded?.url ?? ""
})
afterAll(() => embedded?.stop())

const rate = (nano: number) => NanoCreditsPerSecond.parse(nano)
/** 0.1 credits a second for at most 600 of them. */
const LIMIT = rate(100_000_000)
const perSecond = (shards = 1, change = {}) =>
  batchJob(shards, { pricePerShard: undefined, pricePerSecond: LIMIT, ...change })

const account = (client: Client) => client.ask({ type: "account" }, "account")

/** Proves a lease, claiming a container that ran so long, and checks the answer as an agent does. */
async function provedFor(agent: Client, lease: MarketFrameOf<"lease">, seconds: number) {
  const claim = (statement: ProofStatement) => {
    const { metadata } = statement.predicate.runDetails
    metadata.startedOn = new Date(Date.parse(metadata.finishedOn) - seconds * 1000).toISOString()
  }
  const bundle = await prove(agent.identity, lease, await uploadOutputs(agent, lease), claim)
  const held = { lease: lease.lease.id, epoch: lease.lease.epoch }
  const { marketKey } = agent.handshake
  const { ledger, ...receipt } = await agent.ask({ type: "proof", ...held, bundle }, "receipt")
  const due = { proof: bundleDigest(bundle), lease: held.lease, agent: agent.identity.keyId }
  const answer = checkReceipt(receipt.bundle, marketKey, due)
  checkRecorded(ledger, marketKey, answer)
  const { lease: granted, job, shard, spec, price } = lease
  const assignment = { lease: granted, job, shard, spec, price }
  checkCharge(answer, assignment, checkProof(bundle, agent.identity.publicKey, assignment))
  const { charge, paid } = answer.predicate.zg_settlement
  return { charge: charge as Extract<Charge, { per: "second" }>, paid, answer, bundle, assignment }
}

test("a proof of a job with a price per second pays what the host asks, for the time that it ran", async () => {
  const [agent, buyer] = [await enrol(url), await enrol(url)]
  const job = perSecond()
  agent.wire.send({ type: "capacity", slots: [{ ...slotFor(job), ask: rate(40_000_001) }] })
  const id = await submit(buyer, job)
  expect(await account(buyer)).toMatchObject({ escrow: 60_000_000 })
  const lease = await takeLease(agent, id)
  expect(lease.price).toEqual({ per: "second", rate: 40_000_001 })
  // Longer than it claims to have run.
  await sleep(10)
  const { charge, paid } = await provedFor(agent, lease, 0.003)
  expect(charge).toEqual({ per: "second", rate: 40_000_001, ms: 3 })
  // 120.000003 micro-credits, rounded up; the fee of 2 % rounded down.
  expect([amountOf(charge), paid]).toEqual([121, 119])
  const { status } = await buyer.ask({ type: "watch", job: id }, "job")
  expect(status).toMatchObject({ state: "done", spent: 121, escrow: 60_000_000, shards: [{ cost: 121 }] })
  expect(await account(buyer)).toMatchObject({ escrow: 0, spent: 121 })
  expect(await account(agent)).toMatchObject({ own: 119, earned: 119 })
  await Promise.all([agent.close(), buyer.close()])
})

test("a host that claims more seconds than were seen is paid for those that were seen", async () => {
  const [agent, buyer] = [await enrol(url), await enrol(url)]
  const job = perSecond()
  agent.wire.send({ type: "capacity", slots: [slotFor(job)] })
  const id = await submit(buyer, job)
  const began = performance.now()
  const { charge, paid, answer, bundle, assignment } = await provedFor(agent, await takeLease(agent, id), 500)
  const seenMs = performance.now() - began
  // A host without an ask gets what the job pays.
  expect(charge.rate).toBe(LIMIT)
  expect(charge.ms).toBeLessThanOrEqual(Math.ceil(seenMs) + 1)
  expect(charge.ms).toBeLessThan(500_000)
  expect(await account(buyer)).toMatchObject({ spent: amountOf(charge), escrow: 0 })
  expect(await account(agent)).toMatchObject({ earned: paid })

  const statement = checkProof(bundle, agent.identity.publicKey, assignment)
  const refused = (field: string) =>
    expect.objectContaining({ code: "receipt-refused", facts: expect.objectContaining({ field }) })
  const settlement = answer.predicate.zg_settlement
  const told = (change: Charge | undefined) => {
    const predicate = { ...answer.predicate, zg_settlement: { ...settlement, charge: change } }
    return () => checkCharge({ ...answer, predicate }, assignment, statement)
  }
  expect(told({ ...charge, rate: rate(LIMIT - 1) })).toThrow(refused("charge"))
  expect(told(undefined)).toThrow(refused("charge"))
  expect(told({ ...charge, ms: 500_001 })).toThrow(refused("charged time"))
  await Promise.all([agent.close(), buyer.close()])
})

test("an ask above the limit gets no offer, and the buyer is told; among asks that are met the cheapest is first", async () => {
  const [dear, cheap, buyer] = [await enrol(url), await enrol(url), await enrol(url)]
  const job = perSecond()
  const serve = (agent: Client, ask: number): void => {
    agent.wire.send({ type: "capacity", slots: [{ ...slotFor(job), ask: rate(ask) }] })
  }
  serve(dear, LIMIT + 1)
  // Answered, so that the capacity was heard.
  await account(dear)
  const id = await submit(buyer, job)
  await buyer.ask({ type: "watch", job: id }, "job")
  const told = await buyer.wire.take(
    frame => frame.type === "job" && frame.status.reason?.includes("asks") === true,
    "the reason",
  )
  expect(told).toMatchObject({
    status: {
      state: "waiting",
      reason: expect.stringContaining("asks 0.100000001 credits/s; the job pays 0.10 credits/s"),
    },
  })
  expect(dear.wire.inbox.filter(({ type }) => type === "offer")).toEqual([])
  serve(cheap, LIMIT - 1)
  expect((await takeLease(cheap, id)).price).toEqual({ per: "second", rate: LIMIT - 1 })
  await Promise.all([dear.close(), cheap.close(), buyer.close()])
})

test("a price for the shard meets an ask when it pays for all the time that the shard may take", async () => {
  const [agent, buyer] = [await enrol(url), await enrol(url)]
  const job = batchJob(1, { pricePerShard: 600_000 as never })
  agent.wire.send({ type: "capacity", slots: [{ ...slotFor(job), ask: rate(1_000_001) }] })
  await account(agent)
  const id = await submit(buyer, job)
  await buyer.ask({ type: "watch", job: id }, "job")
  await buyer.wire.take(
    frame => frame.type === "job" && frame.status.reason?.includes("for a shard of up to 600 s") === true,
    "the reason",
  )
  expect(agent.wire.inbox.filter(({ type }) => type === "offer")).toEqual([])
  agent.wire.send({ type: "capacity", slots: [{ ...slotFor(job), ask: rate(1_000_000) }] })
  expect((await takeLease(agent, id)).price).toEqual({ per: "shard", amount: 600_000 })
  await Promise.all([agent.close(), buyer.close()])
})

test("owners of data are paid with each shard, and earned credits alone pay a job from self", async () => {
  const [agent, buyer, owner] = [await enrol(url), await enrol(url), await enrol(url)]
  const to = owner.identity.keyId
  const royalties = [
    { to, shareBasisPoints: 1000, for: "letters" },
    { to, shareBasisPoints: 333, for: "diaries" },
  ]
  const job = batchJob(2, { royalties })
  agent.wire.send({ type: "capacity", slots: [slotFor(job)] })
  const submitted = await buyer.ask({ type: "submit", key: "1".repeat(32), job }, "submitted")
  expect(submitted.paidFrom).toEqual({ granted: 2_266_600, earned: 0 })
  for (let count = 0; count < 2; count++) await provedFor(agent, await takeLease(agent, submitted.job), 1)
  const { status } = await buyer.ask({ type: "watch", job: submitted.job }, "job")
  expect(status).toMatchObject({ spent: 2_266_600, shards: [{ cost: 1_133_300 }, { cost: 1_133_300 }] })
  expect(await account(owner)).toMatchObject({ own: 266_600, earned: 266_600 })

  const own = batchJob(1, { pricePerShard: 200_000 as never })
  const fromSelf = { type: "submit", payFrom: "self", job: own } as const
  const short = await buyer.ask({ ...fromSelf, key: "2".repeat(32) }, "refused")
  expect(short).toMatchObject({ code: "credits-short", message: expect.stringContaining("earned ones") })
  const paid = await owner.ask({ ...fromSelf, key: "3".repeat(32) }, "submitted")
  expect(paid.paidFrom).toEqual({ granted: 0, earned: 200_000 })
  expect(await account(owner)).toMatchObject({ own: 66_600, escrow: 200_000 })
  await Promise.all([agent.close(), buyer.close(), owner.close()])
})

test.each<[string, Partial<Extract<ClientMessage, { type: "submit" }>["job"]>, string]>([
  ["no price", { pricePerShard: undefined }, "message-malformed"],
  ["two prices", { pricePerSecond: LIMIT }, "message-malformed"],
  [
    "royalties of more than half",
    {
      royalties: [1, 5000].map(shareBasisPoints => ({
        to: KeyId.parse("0".repeat(64)),
        shareBasisPoints,
        for: "x",
      })),
    },
    "message-malformed",
  ],
  [
    "a royalty for nobody",
    { royalties: [{ to: KeyId.parse("0".repeat(64)), shareBasisPoints: 1, for: "x" }] },
    "job-refused",
  ],
])("a job with %s is refused", async (_, change, code) => {
  const buyer = await enrol(url)
  const job = { ...batchJob(), ...change } as ReturnType<typeof batchJob>
  expect(await buyer.refusal({ type: "submit", key: "4".repeat(32), job })).toBe(code)
  await buyer.close()
})
