import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { type CapacityReport, capacityStatement, reportDigest } from "../../src/protocol/capacity-report.ts"
import type { JobStatus } from "../../src/protocol/job.ts"
import type { Measurement } from "../../src/protocol/measurement.ts"
import { signStatement } from "../../src/protocol/statement.ts"
import { type Client, enrol, newIdentity } from "./client.ts"
import { Embedded, FOREIGN } from "./market.ts"
import { skip } from "./skip.ts"
import { batchJob, finish, slotFor, submit, takeLease } from "./work.ts"

let market: Embedded

beforeAll(async () => {
  if (!FOREIGN) market = await Embedded.start({ coolOffMs: 100 })
})
beforeEach(context => {
  if (FOREIGN) skip(context, "restarts the marketplace, which only the embedded one allows")
})
afterAll(() => market?.stop())

const CARD = "GPU-0ad3f2b6-8df5-cb18-6b7c-6c7a10f1d7e9"

function figure(name: string, median: number): Measurement {
  const quartiles = { lowerQuartile: median * 0.99, upperQuartile: median * 1.01 }
  return { name, unit: "FLOP/s", median, ...quartiles, repeats: 9, clock: "gpu" }
}

function reportOf(flops: number, state: CapacityReport["cards"][number]["state"] = "sound"): CapacityReport {
  const now = new Date().toISOString()
  return {
    ...{ depth: "quick", parts: ["gpus", "host"], startedOn: now, finishedOn: now, agent: "contract" },
    host: {
      ...{ platform: "linux", kernel: "6", cpu: "contract", physicalCores: 1, logicalCores: 2 },
      ...{ instructionSets: [], memoryMiB: 4096, figures: [figure("cpu-all-cores", flops)], unmeasured: [] },
    },
    cards: [
      {
        ...{ identity: CARD, vendor: "nvidia", name: "A card", uuid: CARD, pciAddress: "0000:01:00.0" },
        ...{ pciId: "10de:2684", pciRevision: null },
        ...{ vramMiB: 8192, driver: "580", adapter: null, state, figures: [figure("matmul-fp32", flops)] },
        ...{ together: [], unmeasured: [], soundness: [], faults: [], timeline: [] },
      },
    ],
    ...{ software: [], work: null, jail: null },
  }
}

async function tell(agent: Client, report: CapacityReport) {
  const bundle = await signStatement(capacityStatement(report), agent.identity)
  return agent.ask({ type: "report", report, bundle }, "reported")
}

test("a report is taken when its agent signed it as it stands, and from nobody else", async () => {
  const agent = await enrol(market.url)
  const report = reportOf(1e12)
  expect(await tell(agent, report)).toMatchObject({ digest: reportDigest(report) })
  const bundle = await signStatement(capacityStatement(report), agent.identity)
  expect(await agent.refusal({ type: "report", report: reportOf(9e12), bundle })).toBe("proof-mismatch")
  const foreign = await signStatement(capacityStatement(report), newIdentity())
  expect(await agent.refusal({ type: "report", report, bundle: foreign })).toBe("proof-signature-wrong")
  const other = { ...capacityStatement(report), predicateType: "https://in-toto.io/attestation/svr/v0.2" }
  const wrong = await signStatement(other, agent.identity)
  expect(await agent.refusal({ type: "report", report, bundle: wrong })).toBe("proof-malformed")
  await agent.close()
})

test("a job that names figures waits for a card that reached them, over a restart, and goes to no sick one", async () => {
  const [agent, buyer] = [await enrol(market.url), await enrol(market.url)]
  const job = batchJob()
  job.resources = { ...job.resources, device: "cuda", atLeast: { "matmul-fp32": 2e12 } }
  const slot = slotFor(job, CARD)
  agent.wire.send({ type: "capacity", slots: [slot] })
  const id = await submit(buyer, job)
  await buyer.ask({ type: "watch", job: id }, "job")
  const waits = async (why: RegExp) =>
    buyer.wire.take(
      frame => frame.type === "job" && why.test((frame.status as JobStatus).reason ?? ""),
      String(why),
    )
  const first = await buyer.ask({ type: "watch", job: id }, "job")
  if (!/no slot of that size has a measured/.test(first.status.reason ?? ""))
    await waits(/no slot of that size has a measured matmul-fp32/)
  await tell(agent, reportOf(1e12))
  await waits(/the best measured matmul-fp32 is 1 T/)
  await tell(agent, reportOf(4e12, "degraded"))
  await waits(/failed its tests/)
  await tell(agent, reportOf(4e12))
  const lease = await takeLease(agent, id)
  await finish(agent, lease)
  await Promise.all([agent.close(), buyer.close()])
  await market.restart()
  const [back, again] = [await enrol(market.url, agent.identity), await enrol(market.url)]
  back.wire.send({ type: "capacity", slots: [slot] })
  await finish(back, await takeLease(back, await submit(again, job)))
  await Promise.all([back.close(), again.close()])
})
