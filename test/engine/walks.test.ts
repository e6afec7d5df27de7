import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { pino } from "pino"
import { afterAll, beforeAll, expect, test } from "vitest"
import { startMarket } from "../../src/marketplace/market.ts"
import { bundleDigest } from "../../src/protocol/statement.ts"
import { Tasks } from "../../src/runtime/agent/tasks.ts"
import { giveBack } from "../../src/runtime/agent/told.ts"
import { Walks } from "../../src/runtime/agent/walks.ts"
import { BlobTransfer } from "../../src/runtime/blob/transfer.ts"
import { registryUrl } from "../../src/runtime/market/session.ts"
import type { Abandoned, EndState, Proved } from "../../src/runtime/shard/state.ts"
import { enrol, newIdentity, prove } from "../contract/client.ts"
import { Embedded } from "../contract/market.ts"
import { batchJob, slotFor, submit, uploadOutputs } from "../contract/work.ts"
import { Serving } from "../runtime/market/serving.ts"
import { mountSmallDisk } from "../stand-in/small-disk.ts"
import { type Bench, engineOrReason, makeBench } from "./bench.ts"

const engine = await engineOrReason()
if (typeof engine === "string") process.stderr.write(`engine tests are skipped: ${engine}\n`)
const within = test.skipIf(typeof engine === "string")
const log = pino({ level: process.env.ZG_TEST_LOG ?? "silent" }, pino.destination(2))
const BERTH = { slot: "slot-0", placement: { device: "cpu" as const }, gpus: [], profile: "strict" as const }

let bench: Bench
beforeAll(async () => {
  if (typeof engine !== "string") bench = await makeBench(engine)
}, 120_000)
afterAll(() => bench?.close(), 60_000)

/** The walks of an agent with this link; `end` settles with how its one shard ended. */
function walksOver(serving: Serving, signer: Bench["ports"]["signer"], transfer = bench.ports.transfer) {
  const end = Promise.withResolvers<EndState>()
  const tasks = new Tasks()
  const ports = { ...bench.ports, signer, transfer }
  const parts = {
    link: serving.link,
    journal: bench.journal,
    ports,
    gpuEngine: null,
    log,
    pauseLimitMs: 60_000,
  }
  return {
    walks: new Walks(parts, tasks, state => state.step === "proved" || end.resolve(state)),
    end: end.promise,
    tasks,
  }
}

within("a renewal that is refused because the proof has just been settled costs no shard", async () => {
  const market = await Embedded.start({ leaseMs: 1000 })
  const identity = newIdentity()
  const [direct, buyer] = [await enrol(market.url, identity), await enrol(market.url)]
  const job = batchJob()
  const serving = new Serving(market.url, identity, [slotFor(job)])
  await submit(buyer, job)
  const { lease, job: id, shard, spec } = await serving.take()
  const assignment = { lease, job: id, shard, spec }
  const outputs = await uploadOutputs(direct, { ...assignment, type: "lease" } as never)
  const bundle = await prove(identity, assignment, outputs)
  await direct.ask({ type: "proof", lease: lease.id, epoch: lease.epoch, bundle }, "receipt")
  const registry = { url: registryUrl(market.url), token: () => serving.link.token }
  // The outputs take longer than half of the lease, so that it is renewed meanwhile.
  const slow = new BlobTransfer({ registry, store: bench.ports.store, online: () => sleep(2000) })
  bench.ports.marketKey = serving.sessions[0]?.market.publicKey ?? bench.ports.marketKey
  const { walks, end, tasks } = walksOver(serving, identity, slow)
  await bench.ports.archive.chain(assignment, async () => bundle)
  const proved: Proved = {
    step: "proved",
    assignment,
    berth: BERTH,
    outputs,
    proof: bundleDigest(bundle),
    bundle,
  }
  walks.start(proved, AbortSignal.timeout(20_000))
  expect(await end).toMatchObject({ step: "settled", proof: proved.proof })
  await tasks.over()
  await serving.stop()
  await Promise.all([direct.close(), buyer.close()])
  await market.stop()
})

within("an abandonment that finds the marketplace's disk full is heard when there is room", async context => {
  const root = await mkdtemp(join(tmpdir(), "zg-full-"))
  const folder = join(root, "market")
  await mkdir(folder)
  const disk = await mountSmallDisk(context, folder)
  const market = await startMarket({ root: folder, host: "127.0.0.1", port: 0, log })
  const identity = newIdentity()
  const [direct, buyer] = [await enrol(market.url, identity), await enrol(market.url)]
  const job = batchJob()
  const serving = new Serving(market.url, identity, [slotFor(job)])
  const id = await submit(buyer, job)
  const { lease, shard, spec } = await serving.take()
  const assignment = { lease, job: id, shard, spec }
  await writeFile(join(folder, "ballast"), Buffer.alloc(4 << 20)).catch(() => {})
  const held = { lease: lease.id, epoch: lease.epoch }
  expect(
    await direct.refusal({ type: "abandon", ...held, code: "gpu-unusable", message: "of the test" }),
  ).toBe("disk-full")
  const why = { from: "running", code: "gpu-unusable", message: "of the test" } as const
  const abandoned: Abandoned = { step: "abandoned", assignment, berth: BERTH, ...why }
  await bench.journal.record(abandoned)
  const heard = giveBack(
    abandoned,
    { link: serving.link, journal: bench.journal, log },
    AbortSignal.timeout(20_000),
  )
  await sleep(1000)
  await disk.grow()
  await heard
  const { status } = await buyer.ask({ type: "watch", job: id }, "job")
  expect(status.shards[0]?.state).not.toBe("leased")
  await serving.stop()
  await Promise.all([direct.close(), buyer.close()])
  await market.close()
  await disk.remove()
  await rm(root, { recursive: true })
})
