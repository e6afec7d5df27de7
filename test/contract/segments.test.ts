// Shards that are cut into segments: which states have to be shown, and that a segment which was made up is found where it is drawn.
import { setTimeout as sleep } from "node:timers/promises"
import { afterEach, expect, test } from "vitest"
import { AUDIT_DEFAULTS } from "../../src/marketplace/audit/terms.ts"
import type { Terms } from "../../src/marketplace/options.ts"
import { digestOf } from "../../src/protocol/digest.ts"
import type { JobId, JobStatus, TrainJob } from "../../src/protocol/job.ts"
import { type Client, enrol } from "./client.ts"
import { type Deviation, run, SEGMENTS, trainJob } from "./fake-trainer.ts"
import { Embedded } from "./market.ts"
import { submit } from "./work.ts"
import { Worker } from "./worker.ts"

const ALL = { kind: "spot", segments: SEGMENTS, drawn: SEGMENTS, tolerance: null, share: 0 } as const
const TERMS: Partial<Terms> = {
  ...{ audit: { ...AUDIT_DEFAULTS, lead: 2 }, feeBasisPoints: 0 },
  ...{ leaseMs: 3000, coolOffMs: 60_000, revealMs: 500, attempts: 1, unmatchedMs: 3000 },
}

let market: Embedded
let buyer: Client
let workers: Worker[] = []

async function open(terms: Partial<Terms> = {}): Promise<void> {
  market = await Embedded.start({ ...TERMS, ...terms })
  buyer = await enrol(market.url)
}
afterEach(async () => {
  await Promise.all(workers.map(worker => worker.stop()))
  workers = []
  await buyer.close()
  await market.stop()
})

/** One host that deviates in the warm-up alone, and honest ones that take nothing of it before it is committed. */
async function trained(deviation: Deviation, others: Deviation[], job: TrainJob = trainJob({ audit: ALL })) {
  await buyer.upload("")
  let isCommitted = false
  const isWarmUp = (argv: string[]) => argv.includes("warm-up") && !argv.includes("replay")
  const first = await Worker.start(market.url, job, {
    result: lease => run(lease, isWarmUp(lease.spec.command.argv) ? deviation : {}),
  })
  const later = await Promise.all(
    others.map(other =>
      Worker.start(market.url, job, { result: lease => run(lease, other), takes: () => isCommitted }),
    ),
  )
  workers.push(first, ...later)
  const id = await submit(buyer, job)
  await until(async () => (await statusOf(id)).shards[1]?.state === "committed")
  isCommitted = true
  return { id, first }
}

async function until(holds: () => Promise<boolean>, limitMs = 20_000): Promise<void> {
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

/** How the warm-up of this host came out. */
async function warmUpOf({ endings }: Worker): Promise<string | undefined> {
  const own = () =>
    endings.find(
      ({ lease }) => lease.shard.label === "warm-up" && !lease.spec.command.argv.includes("replay"),
    )
  await until(async () => own() !== undefined)
  const answer = own()?.answer
  return answer?.type === "refused" ? answer.code : answer?.type
}

test("a job whose hosts are honest is done, and only states that were drawn have left their hosts", async () => {
  await open()
  const { id, first } = await trained({}, [{}, {}], trainJob())
  expect(await done(id)).toMatchObject({ state: "done" })
  expect(await warmUpOf(first)).toBe("receipt")
  const { run: ran } = first.handedIn.find(({ lease }) => lease.shard.label === "warm-up") ?? {}
  const kept = [...(ran?.states?.keys() ?? [])]
  const shown = await Promise.all(
    kept.map(async state => (await buyer.fetch(`/v2/contract/blobs/${state}`, { method: "HEAD" })).ok),
  )
  expect(kept).toHaveLength(SEGMENTS + 1)
  expect(shown.filter(isThere => isThere).length).toBeLessThan(kept.length)
  // Segments are paid by their share.
  const audits = workers
    .flatMap(({ endings }) => endings)
    .filter(({ lease }) => lease.spec.command.argv.includes("replay"))
  expect(audits.length).toBeGreaterThanOrEqual(4)
  for (const { lease } of audits) expect(lease.price).toEqual({ per: "shard", amount: 1_000_000 / SEGMENTS })
})

test("a segment that was made up is found by whoever replays it", async () => {
  await open()
  const { id, first } = await trained({ fakes: 2 }, [{}, {}, {}])
  expect(await warmUpOf(first)).toBe("audit-failed")
  expect(await done(id)).toMatchObject({ state: "done" })
})

test("outputs that the last state does not make are found, though every state is right", async () => {
  await open()
  const { first } = await trained({ fakesOutputs: true }, [{}, {}, {}])
  expect(await warmUpOf(first)).toBe("audit-failed")
})

test("states that are not shown in time are a wrong answer", async () => {
  await open()
  const { first } = await trained({ hides: true }, [{}, {}])
  expect(await warmUpOf(first)).toBe("audit-failed")
})

test("a run log that does not add up is refused at once", async () => {
  await open()
  const torn = (lease: Parameters<typeof run>[0]) => {
    const ran = run(lease)
    return ran.runLog ? { ...ran, runLog: digestOf("another log") } : ran
  }
  await buyer.upload("")
  const job = trainJob({ audit: ALL })
  const host = await Worker.start(market.url, job, { result: torn })
  workers.push(host, await Worker.start(market.url, job, { takes: () => false }))
  await submit(buyer, job)
  expect(await warmUpOf(host)).toBe("proof-mismatch")
})

const TOLERANT = trainJob({ audit: { ...ALL, tolerance: 0.001 } })

test("states of another machine are compared by a third agent, and pass where it finds them alike", async () => {
  await open()
  const { id, first } = await trained(
    { machine: "A" },
    [{ machine: "B" }, { machine: "B" }, { machine: "B" }],
    TOLERANT,
  )
  expect(await warmUpOf(first)).toBe("receipt")
  expect(await done(id)).toMatchObject({ state: "done" })
  const compares = workers
    .flatMap(({ endings }) => endings)
    .filter(({ lease }) => lease.spec.command.argv.includes("compare"))
  expect(compares.length).toBeGreaterThanOrEqual(SEGMENTS)
  expect(compares.map(({ lease }) => lease.spec.command.argv.at(-1))).toContain("--tolerance=0.001")
})

test("states that are further apart than the tolerance are a wrong answer", async () => {
  await open()
  const apart = { machine: "B", within: false }
  const { first } = await trained({ fakes: 1 }, [apart, apart, apart, apart, apart], TOLERANT)
  expect(await warmUpOf(first)).toBe("audit-failed")
})
