import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import type { NamedBlob } from "../../src/protocol/digest.ts"
import { digestOf, type FileName } from "../../src/protocol/digest.ts"
import type { FaultCode } from "../../src/protocol/fault.ts"
import type { BatchJob } from "../../src/protocol/job.ts"
import type { MarketFrameOf } from "../../src/protocol/message.ts"
import { type Client, enrol, prove } from "./client.ts"
import { Embedded, FOREIGN } from "./market.ts"
import { skip } from "./skip.ts"
import { batchJob, finish, leaseOf, slotFor, takeLease, uploadOutputs } from "./work.ts"

const WHY = "needs a short cooling-off and a restart, which only the embedded marketplace allows"

let market: Embedded

beforeAll(async () => {
  if (!FOREIGN) market = await Embedded.start({ coolOffMs: 100, attempts: 4 })
})
beforeEach(context => {
  if (FOREIGN) skip(context, WHY)
})
afterAll(() => market?.stop())

const travelling = () => batchJob(1, { checkpoints: "travel" })
const pairOf = async () => ({ agent: await enrol(market.url), buyer: await enrol(market.url) })
const heldOf = ({ lease }: MarketFrameOf<"lease">) => ({ lease: lease.id, epoch: lease.epoch })

async function fileOf(agent: Client, name: string, bytes: string): Promise<NamedBlob> {
  return { name: name as FileName, ...(await agent.upload(bytes)) }
}

/** Gives the lease back for a reason of the host's own, and has another agent take it. */
async function passOn(
  agent: Client,
  lease: MarketFrameOf<"lease">,
  job: BatchJob,
  code: FaultCode = "disk-full",
) {
  await agent.ask({ type: "abandon", ...heldOf(lease), code, message: "of the test" }, "abandoned")
  agent.wire.send({ type: "capacity", slots: [] })
  const next = await enrol(market.url)
  next.wire.send({ type: "capacity", slots: [slotFor(job)] })
  return { next, lease: await takeLease(next, lease.job) }
}

test("the newest checkpoint goes with the next lease, over a restart, and the proof names it", async () => {
  const { agent, buyer } = await pairOf()
  const job = travelling()
  const first = await leaseOf(agent, buyer, job)
  expect(first.checkpoint).toBeUndefined()
  for (const content of ["older", "newer", "newer"]) {
    const files = [await fileOf(agent, "model", content), await fileOf(agent, "optimizer", `${content} too`)]
    expect(await agent.ask({ type: "checkpoint", ...heldOf(first), files }, "kept")).toMatchObject(
      heldOf(first),
    )
  }
  await Promise.all([agent.close(), buyer.close()])
  await market.restart()
  const back = await enrol(market.url, agent.identity)
  const { next, lease } = await passOn(back, first, job)
  expect(lease.checkpoint).toEqual([
    { name: "model", digest: digestOf("newer"), size: 5 },
    { name: "optimizer", digest: digestOf("newer too"), size: 9 },
  ])
  const outputs = await uploadOutputs(next, lease)
  const held = heldOf(lease)
  const { checkpoint: _, ...anew } = lease
  const denied = await prove(next.identity, anew, outputs)
  expect(await next.refusal({ type: "proof", ...held, bundle: denied })).toBe("proof-mismatch")
  const bundle = await prove(next.identity, lease, outputs)
  await next.ask({ type: "proof", ...held, bundle }, "receipt")
  await Promise.all([back.close(), next.close()])
})

test("a checkpoint of a lease that is over, of somebody else or of none is refused", async () => {
  const { agent, buyer } = await pairOf()
  const job = travelling()
  const lease = await leaseOf(agent, buyer, job)
  const files = [await fileOf(agent, "model", "of the first")]
  const stranger = await enrol(market.url)
  const told = { type: "checkpoint", ...heldOf(lease), files } as const
  expect(await stranger.refusal(told)).toBe("lease-stale")
  expect(await agent.refusal({ ...told, epoch: 2 })).toBe("lease-unknown")
  const { next, lease: later } = await passOn(agent, lease, job)
  expect(await agent.refusal(told)).toBe("lease-stale")
  expect(later.checkpoint).toBeUndefined()
  await finish(next, later)
  expect(await next.refusal({ type: "checkpoint", ...heldOf(later), files })).toBe("lease-stale")
  await Promise.all([agent, buyer, stranger, next].map(client => client.close()))
})

test("a job whose checkpoints stay, bytes that are not here, and too many of them are refused", async () => {
  const { agent, buyer } = await pairOf()
  const staying = await leaseOf(agent, buyer)
  const files = [await fileOf(agent, "model", "small")]
  expect(await agent.refusal({ type: "checkpoint", ...heldOf(staying), files })).toBe("checkpoint-refused")
  await finish(agent, staying)
  const job = travelling()
  const held = heldOf(await leaseOf(agent, buyer, job))
  const [small] = files as [NamedBlob]
  const refusal = (wrong: NamedBlob[]) => agent.refusal({ type: "checkpoint", ...held, files: wrong })
  expect(await refusal([{ ...small, digest: digestOf("never uploaded") }])).toBe("blob-missing")
  expect(await refusal([{ ...small, size: small.size + 1 }])).toBe("blob-missing")
  expect(await refusal([{ ...small, size: 2 ** 36 }])).toBe("checkpoint-refused")
  await Promise.all([agent.close(), buyer.close()])
})

test.for([
  ["twice the same name", [0, 0]],
  ["no file at all", []],
  ["65 files", Array.from({ length: 65 }, (_, index) => index)],
] as const)("a checkpoint of %s is malformed", async ([, names]) => {
  const agent = await enrol(market.url)
  const files = names.map(index => ({ name: `file-${index}` as FileName, digest: digestOf(""), size: 0 }))
  const lease = { lease: "0".repeat(32), epoch: 1 } as ReturnType<typeof heldOf>
  agent.wire.send({ type: "checkpoint", ...lease, files })
  expect(await agent.wire.next("refused")).toMatchObject({ code: "message-malformed" })
  await agent.close()
})

test("a shard that failed by itself begins anew: its checkpoint may be why", async () => {
  const { agent, buyer } = await pairOf()
  const job = travelling()
  const lease = await leaseOf(agent, buyer, job)
  const files = [await fileOf(agent, "model", "poison")]
  await agent.ask({ type: "checkpoint", ...heldOf(lease), files }, "kept")
  const { next, lease: later } = await passOn(agent, lease, job, "shard-failed")
  expect(later.checkpoint).toBeUndefined()
  await Promise.all([agent, buyer, next].map(client => client.close()))
})
