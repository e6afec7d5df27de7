import { afterAll, beforeAll, expect, test } from "vitest"
import type { MicroCredits } from "../../src/protocol/credits.ts"
import { digestOf, type FileName, type NamedBlob } from "../../src/protocol/digest.ts"
import { randomId } from "../../src/protocol/handshake.ts"
import type { MarketFrameOf } from "../../src/protocol/message.ts"
import type { ProofStatement } from "../../src/protocol/proof.ts"
import { type Bundle, bundleDigest } from "../../src/protocol/statement.ts"
import { checkReceipt } from "../../src/runtime/proof/verify.ts"
import { type Client, enrol, newIdentity, prove } from "./client.ts"
import { Embedded, FOREIGN } from "./market.ts"
import { batchJob, finish, leaseOf, slotFor, submit, takeLease, uploadOutputs } from "./work.ts"

let embedded: Embedded | undefined
let url: string

beforeAll(async () => {
  embedded = FOREIGN ? undefined : await Embedded.start()
  url = FOREIGN ?? embedded?.url ?? ""
})
afterAll(() => embedded?.stop())

async function pairOf(): Promise<{ agent: Client; buyer: Client }> {
  return { agent: await enrol(url), buyer: await enrol(url) }
}

const account = (client: Client) => client.ask({ type: "account" }, "account")

test("offer, accept, lease, upload, proof, receipt; then the books balance", async () => {
  const { agent, buyer } = await pairOf()
  const before = await account(buyer)
  const job = batchJob(2)
  agent.wire.send({ type: "capacity", slots: [slotFor(job)] })
  const id = await submit(buyer, job)
  expect(await account(buyer)).toMatchObject({ balance: before.balance - 2_000_000, escrow: 2_000_000 })

  let paid = 0
  for (const label of ["shard-0", "shard-1"]) {
    const lease = await takeLease(agent, id)
    expect(lease).toMatchObject({ shard: { label }, lease: { epoch: 1 } })
    const bundle = await prove(agent.identity, lease, await uploadOutputs(agent, lease))
    const held = { lease: lease.lease.id, epoch: 1 }
    const receipt = await agent.ask({ type: "proof", ...held, bundle }, "receipt")
    const due = { proof: bundleDigest(bundle), lease: lease.lease.id, agent: agent.identity.keyId }
    const { predicate } = checkReceipt(receipt.bundle, agent.handshake.marketKey, due)
    paid += predicate.zg_settlement.paid
  }

  const { status } = await buyer.ask({ type: "watch", job: id }, "job")
  expect(status).toMatchObject({ state: "done", spent: 2_000_000 })
  expect(status.results.map(({ name }) => name)).toEqual(["shard-0.out.txt", "shard-1.out.txt"])
  const after = await account(buyer)
  expect(after).toMatchObject({ balance: before.balance - 2_000_000, spent: 2_000_000, escrow: 0 })
  const earned = await account(agent)
  expect(earned.earned).toBe(paid)
  const fee = 2_000_000 - paid
  expect(fee).toBeGreaterThanOrEqual(0)
  // Both began with the same grant: what is missing now is the marketplace's fee.
  expect(after.balance + earned.balance + fee).toBe(2 * before.balance)
  await Promise.all([agent.close(), buyer.close()])
})

test("a submission with the same key is the same job", async () => {
  const buyer = await enrol(url)
  const job = batchJob()
  const key = "0123456789abcdef".repeat(2)
  const first = await submit(buyer, job, key)
  expect(await submit(buyer, job, key)).toBe(first)
  expect(await account(buyer)).toMatchObject({ escrow: 1_000_000 })
  const { jobs } = await buyer.ask({ type: "jobs" }, "jobList")
  expect(jobs.map(({ id }) => id)).toEqual([first])
  await buyer.close()
})

test("a job that nobody could pay, run or feed is refused", async () => {
  const buyer = await enrol(url)
  const { balance } = await account(buyer)
  const key = randomId<string>()
  const dear = batchJob(1, { pricePerShard: (balance + 250_000) as MicroCredits })
  const short = await buyer.ask({ type: "submit", key, job: dear }, "refused")
  expect(short).toMatchObject({ code: "credits-short", message: expect.stringContaining("0.25 are missing") })
  const lost: NamedBlob = { name: "in.txt" as FileName, digest: digestOf("never uploaded"), size: 3 }
  const [shard] = batchJob().shards
  const hungry = batchJob(1, { shards: [{ ...shard, inputs: [lost] } as never] })
  expect(await buyer.refusal({ type: "submit", key, job: hungry })).toBe("blob-missing")
  const twice = batchJob(1, { shards: [{ ...shard, outputs: ["a", "a"] } as never] })
  expect(await buyer.refusal({ type: "submit", key, job: twice })).toBe("job-refused")
  const empty = { ...batchJob(), shards: [] }
  expect(await buyer.refusal({ type: "submit", key, job: empty })).toBe("message-malformed")
  expect(await account(buyer)).toMatchObject({ balance, escrow: 0 })
  await buyer.close()
})

test("somebody else's job and lease stay closed", async () => {
  const { agent, buyer } = await pairOf()
  const lease = await leaseOf(agent, buyer)
  expect(await agent.refusal({ type: "watch", job: lease.job })).toBe("job-unknown")
  const held = { lease: lease.lease.id, epoch: lease.lease.epoch }
  expect(await buyer.refusal({ type: "renew", ...held })).toBe("lease-stale")
  expect(await buyer.refusal({ type: "renew", ...held, lease: randomId() })).toBe("lease-unknown")
  await agent.ask({ type: "renew", ...held }, "renewed")
  await Promise.all([agent.close(), buyer.close()])
})

test("a proof with one byte changed is refused, wherever the byte is", async () => {
  const { agent, buyer } = await pairOf()
  const lease = await leaseOf(agent, buyer)
  const outputs = await uploadOutputs(agent, lease)
  const bundle = await prove(agent.identity, lease, outputs)
  const held = { lease: lease.lease.id, epoch: lease.lease.epoch }
  const refused = (changed: Bundle) => agent.refusal({ type: "proof", ...held, bundle: changed })

  const envelope = bundle.dsseEnvelope
  const payload = Buffer.from(envelope.payload, "base64")
  payload[payload.indexOf("contract")] = "C".charCodeAt(0)
  const otherPayload = { ...envelope, payload: payload.toString("base64") }
  expect(await refused({ ...bundle, dsseEnvelope: otherPayload })).toBe("proof-signature-wrong")
  const [{ sig, keyid }] = envelope.signatures
  const bits = Buffer.from(sig, "base64")
  bits[40] = (bits[40] ?? 0) ^ 1
  const otherSig: Bundle["dsseEnvelope"] = {
    ...envelope,
    signatures: [{ sig: bits.toString("base64"), keyid }],
  }
  expect(await refused({ ...bundle, dsseEnvelope: otherSig })).toBe("proof-signature-wrong")
  expect(await refused(await prove(newIdentity(), lease, outputs))).toBe("proof-signature-wrong")
  expect((await finishWith(agent, lease, bundle)).lease).toBe(held.lease)
  await Promise.all([agent.close(), buyer.close()])
})

test.each<[string, (statement: ProofStatement) => unknown, string]>([
  ["a failed run", s => set(s.predicate.runDetails.metadata, { zg_exit: 1 }), "proof-mismatch"],
  ["another nonce", s => set(lease(s), { nonce: randomId() }), "proof-mismatch"],
  ["a longer lease", s => set(lease(s), { notAfter: "2099-01-01T00:00:00.000Z" }), "proof-mismatch"],
  ["an output left out", s => s.subject.splice(-1), "proof-mismatch"],
  ["a manifest of other outputs", s => set(first(s).digest, { sha256: "0".repeat(64) }), "proof-mismatch"],
  ["another input", s => s.predicate.buildDefinition.resolvedDependencies.splice(-1), "proof-mismatch"],
  [
    "a field that nobody knows",
    s => set(s.predicate.buildDefinition.externalParameters, { bribe: 1 }),
    "proof-malformed",
  ],
])("an honestly signed proof of %s is not paid", async (_, change, code) => {
  const { agent, buyer } = await pairOf()
  const leased = await leaseOf(agent, buyer)
  const bundle = await prove(agent.identity, leased, await uploadOutputs(agent, leased), change)
  const held = { lease: leased.lease.id, epoch: leased.lease.epoch }
  expect(await agent.refusal({ type: "proof", ...held, bundle })).toBe(code)
  expect((await account(agent)).earned).toBe(0)
  await Promise.all([agent.close(), buyer.close()])
})

const set = (target: object, change: object) => Object.assign(target, change)
const lease = (statement: ProofStatement) => statement.predicate.buildDefinition.externalParameters.lease
const first = ({ subject: [result] }: ProofStatement) => result as ProofStatement["subject"][0]

test("an output that was not uploaded is named, and the proof is good once it is there", async () => {
  const { agent, buyer } = await pairOf()
  const leased = await leaseOf(agent, buyer)
  const late = `late ${randomId()}`
  const outputs: NamedBlob[] = [{ name: "out.txt" as FileName, digest: digestOf(late), size: late.length }]
  const bundle = await prove(agent.identity, leased, outputs)
  const proof = { type: "proof", lease: leased.lease.id, epoch: leased.lease.epoch, bundle } as const
  expect(await agent.ask(proof, "refused")).toMatchObject({
    code: "blob-missing",
    message: expect.stringContaining("out.txt"),
  })
  await agent.upload(late)
  await agent.ask(proof, "receipt")
  await Promise.all([agent.close(), buyer.close()])
})

test("the same proof again gets the same receipt, another one is refused", async () => {
  const { agent, buyer } = await pairOf()
  const leased = await leaseOf(agent, buyer)
  const outputs = await uploadOutputs(agent, leased)
  const bundle = await prove(agent.identity, leased, outputs)
  const receipt = await finishWith(agent, leased, bundle)
  expect((await finishWith(agent, leased, bundle)).bundle).toEqual(receipt.bundle)
  const later = (s: ProofStatement) => set(s.predicate.runDetails.metadata.zg_usage, { gpuSeconds: 9 })
  const other = await prove(agent.identity, leased, outputs, later)
  const held = { lease: leased.lease.id, epoch: leased.lease.epoch }
  expect(await agent.refusal({ type: "proof", ...held, bundle: other })).toBe("proof-mismatch")
  const { earned } = await account(agent)
  expect(earned).toBeGreaterThan(0)
  expect(earned).toBeLessThanOrEqual(1_000_000)
  await Promise.all([agent.close(), buyer.close()])
})

test("a job that nobody can run says what is missing", async () => {
  const { agent, buyer } = await pairOf()
  const job = batchJob(1, { resources: { device: "rocm", cpus: 1, memoryMiB: 1024, vramMiB: 999_999 } })
  agent.wire.send({ type: "capacity", slots: [slotFor(batchJob())] })
  const id = await submit(buyer, job)
  const reason = async () => (await buyer.ask({ type: "watch", job: id }, "job")).status.reason
  await expect.poll(reason).toMatch(/needs rocm with 999999 MiB VRAM.*connected, they offer .*cpu/)
  await Promise.all([agent.close(), buyer.close()])
})

test("a declined offer goes to another agent", async () => {
  const { agent, buyer } = await pairOf()
  const job = batchJob()
  agent.wire.send({ type: "capacity", slots: [slotFor(job)] })
  const id = await submit(buyer, job)
  const { offer } = await agent.wire.next("offer")
  const other = await enrol(url)
  other.wire.send({ type: "capacity", slots: [slotFor(job)] })
  agent.wire.send({ type: "decline", offer, reason: "busy" })
  await takeLease(other, id)
  expect(await agent.refusal({ type: "accept", offer })).toBe("offer-gone")
  await Promise.all([agent.close(), buyer.close(), other.close()])
})

test("one slot runs one shard, and a draining agent is offered nothing", async () => {
  const { agent, buyer } = await pairOf()
  const job = batchJob(2)
  agent.wire.send({ type: "capacity", slots: [slotFor(job)] })
  const id = await submit(buyer, job)
  const leased = await takeLease(agent, id)
  await expect(agent.wire.next("offer", 500)).rejects.toThrow("no offer")
  agent.wire.send({ type: "drain" })
  await finish(agent, leased)
  await expect(agent.wire.next("offer", 500)).rejects.toThrow("no offer")
  await Promise.all([agent.close(), buyer.close()])
})

test("two shards of a job go to two agents", async () => {
  const { agent, buyer } = await pairOf()
  const other = await enrol(url)
  const job = batchJob(2)
  for (const client of [agent, other])
    client.wire.send({ type: "capacity", slots: [slotFor(job), slotFor(job, "slot-1")] })
  await Promise.all([agent, other].map(client => client.ask({ type: "account" }, "account")))
  await submit(buyer, job)
  await Promise.all([agent.wire.next("offer"), other.wire.next("offer")])
  await Promise.all([agent.close(), buyer.close(), other.close()])
})

test("a watcher hears of progress and of the end", async () => {
  const { agent, buyer } = await pairOf()
  const leased = await leaseOf(agent, buyer)
  await buyer.ask({ type: "watch", job: leased.job }, "job")
  const held = { lease: leased.lease.id, epoch: leased.lease.epoch }
  agent.wire.send({ type: "progress", ...held, step: 3, steps: 9, loss: 1.5 })
  await buyer.wire.take(frame => frame.type === "job" && frame.status.shards[0]?.step === 3, "progress")
  await finish(agent, leased)
  const end = await buyer.wire.take(frame => frame.type === "job" && frame.status.state === "done", "end")
  expect(end).toMatchObject({
    status: { shards: [{ state: "settled", loss: 1.5, agent: agent.identity.keyId }] },
  })
  await Promise.all([agent.close(), buyer.close()])
})

async function finishWith(agent: Client, { lease }: MarketFrameOf<"lease">, bundle: Bundle) {
  return agent.ask({ type: "proof", lease: lease.id, epoch: lease.epoch, bundle }, "receipt")
}
