import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { digestOf } from "../../src/protocol/digest.ts"
import type { BatchJob } from "../../src/protocol/job.ts"
import type { Rule } from "../../src/protocol/message.ts"
import { DEFAULT_RULES } from "../../src/runtime/host/rules/rules.ts"
import { checkSignatures } from "../../src/runtime/image/check-image.ts"
import { bundleManifest, cosignBundle, imageStatement, keyPair } from "../runtime/image/registry.ts"
import { type Client, enrol } from "./client.ts"
import { Embedded, FOREIGN } from "./market.ts"
import { skip } from "./skip.ts"
import { batchJob, finish, slotFor, submit, takeLease } from "./work.ts"

const WHY = "needs jobs that end after a second without an agent, which only the embedded marketplace allows"
const OUT: Rule = { name: "limits.outMiB", message: "it asks for 64 MiB, the owner allows 1 MiB" }

let market: Embedded

beforeAll(async () => {
  if (!FOREIGN) market = await Embedded.start({ coolOffMs: 20, unmatchedMs: 1000 })
})
beforeEach(context => {
  if (FOREIGN) skip(context, WHY)
})
afterAll(() => market?.stop())

async function serving(job: BatchJob): Promise<Client> {
  const agent = await enrol(market.url)
  agent.wire.send({ type: "capacity", slots: [slotFor(job)] })
  return agent
}

async function declineNext(agent: Client, rule?: Rule): Promise<void> {
  const { offer } = await agent.wire.next("offer")
  agent.wire.send({ type: "decline", offer, reason: "not-allowed", ...(rule && { rule }) })
}

const jobOf = (buyer: Client, what: string, fits: (reason: string | null, state: string) => boolean) =>
  buyer.wire.take(frame => frame.type === "job" && fits(frame.status.reason, frame.status.state), what)

test("a job that every owner forbids waits with the rules told, then ends unmatched and is refunded", async () => {
  const buyer = await enrol(market.url)
  const job = batchJob(2)
  const agents = [await serving(job), await serving(job)]
  const id = await submit(buyer, job)
  await buyer.ask({ type: "watch", job: id }, "job")
  const time: Rule = {
    name: "limits.timeMinutes",
    message: "it asks for 10 minutes, the owner allows 5 minutes",
  }
  // Each agent is offered each shard.
  await Promise.all(
    [OUT, time].map(async (rule, at) => {
      for (let shard = 0; shard < 2; shard++) await declineNext(agents[at] as Client, rule)
    }),
  )
  const why = await jobOf(buyer, "reason", reason => reason?.includes("limits.") ?? false)
  expect(why).toMatchObject({
    status: { state: "waiting", reason: expect.stringContaining("the owners of all 2 agents") },
  })
  const end = await jobOf(buyer, "end", (_, state) => state === "failed")
  expect(end).toMatchObject({ status: { reason: expect.stringMatching(/^job-unmatched: /), spent: 0 } })
  const { reason } = (end as { status: { reason: string } }).status
  for (const { name, message } of [OUT, time]) expect(reason).toContain(`${name}: ${message}`)
  expect(await buyer.ask({ type: "account" }, "account")).toMatchObject({ escrow: 0, spent: 0 })
  await Promise.all([buyer, ...agents].map(client => client.close()))
})

test("one owner forbids it, another one does not: it is run", async () => {
  const buyer = await enrol(market.url)
  const job = batchJob()
  const strict = await serving(job)
  const id = await submit(buyer, job)
  await declineNext(strict, OUT)
  const open = await serving(job)
  await finish(open, await takeLease(open, id))
  const { status } = await buyer.ask({ type: "watch", job: id }, "job")
  expect(status).toMatchObject({ state: "done", reason: null })
  await Promise.all([buyer, strict, open].map(client => client.close()))
})

test("an agent that announces its slots anew is asked anew", async () => {
  const buyer = await enrol(market.url)
  const job = batchJob()
  const agent = await serving(job)
  const id = await submit(buyer, job)
  await buyer.ask({ type: "watch", job: id }, "job")
  await declineNext(agent, OUT)
  await jobOf(buyer, "reason", reason => reason?.includes(OUT.name) ?? false)
  buyer.wire.inbox.length = 0
  agent.wire.send({ type: "capacity", slots: [slotFor(job)] })
  await jobOf(buyer, "another reason", reason => reason === "waits for a free slot")
  await finish(agent, await takeLease(agent, id))
  await jobOf(buyer, "end", (_, state) => state === "done")
  await Promise.all([buyer, agent].map(client => client.close()))
})

test("a decline without a rule says nothing of the job", async () => {
  const buyer = await enrol(market.url)
  const job = batchJob()
  const agent = await serving(job)
  const id = await submit(buyer, job)
  await declineNext(agent)
  await finish(agent, await takeLease(agent, id))
  await Promise.all([buyer, agent].map(client => client.close()))
})

test("an image at the marketplace is signed there in cosign's layout, and an agent's check finds it", async () => {
  const owner = await enrol(market.url)
  const key = keyPair("ecdsa-p256")
  const put = async (manifest: object) => {
    const body = JSON.stringify(manifest)
    const path = `/v2/contract/signed/manifests/${digestOf(body)}`
    const headers = { "Content-Type": "application/vnd.oci.image.manifest.v1+json" }
    expect((await owner.fetch(path, { method: "PUT", headers, body })).status).toBe(201)
    return digestOf(body)
  }
  const config = await owner.upload("{}")
  const digest = await put({ schemaVersion: 2, config, layers: [] })
  const images = { ...DEFAULT_RULES.images, signedBy: [{ images: "market/contract/*", keys: [key.pinned] }] }
  const needs = {
    rules: { ...DEFAULT_RULES, images },
    registry: { url: owner.http, token: () => owner.token },
  }
  const check = () => checkSignatures({ name: "contract/signed", digest }, needs, AbortSignal.timeout(10_000))
  await expect(check()).rejects.toMatchObject({ code: "image-unsigned" })
  const bundle = await owner.upload(JSON.stringify(cosignBundle(key, imageStatement(digest))))
  await put(bundleManifest(digest, bundle.digest, bundle.size))
  await check()
  await owner.close()
})

test.each<[string, unknown]>([
  ["an escape", { name: "limits.outMiB", message: "\u001b[2J" }],
  ["a line end", { name: "limits.outMiB", message: "a\nb" }],
  ["letters that look like others", { name: "limits.outMiB", message: "\u202eallowed" }],
  ["a name that is a text", { name: "do as I say", message: "x" }],
  ["no message", { name: "limits.outMiB" }],
  ["more", { name: "limits.outMiB", message: "x", link: "x" }],
  ["no end", { name: "limits.outMiB", message: "x".repeat(401) }],
])("a rule with %s is refused", async (_, rule) => {
  const agent = await enrol(market.url)
  const frame = {
    type: "decline",
    seq: agent.wire.seq + 1,
    offer: "0".repeat(32),
    reason: "not-allowed",
    rule,
  }
  agent.wire.seq += 1
  agent.wire.raw(JSON.stringify(frame))
  expect(await agent.wire.answerTo(frame.seq)).toMatchObject({ type: "refused", code: "message-malformed" })
  await agent.close()
})
