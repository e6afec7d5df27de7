// Shards that are cut into segments: which states have to be shown, and that a segment which was made up is found where it is drawn.
import { afterEach, expect, test } from "vitest"
import { AUDIT_DEFAULTS } from "../../src/marketplace/audit/terms.ts"
import type { Terms } from "../../src/marketplace/options.ts"
import { digestOf } from "../../src/protocol/digest.ts"
import type { TrainJob } from "../../src/protocol/job.ts"
import { AuditedMarket, until } from "./audited.ts"
import { type Deviation, run, SEGMENTS, trainJob } from "./fake-trainer.ts"
import { submit } from "./work.ts"
import { Worker } from "./worker.ts"

const ALL = { kind: "spot", segments: SEGMENTS, drawn: SEGMENTS, tolerance: null, share: 0 } as const
const TERMS: Partial<Terms> = {
  ...{ audit: { ...AUDIT_DEFAULTS, lead: 2 } },
  ...{ leaseMs: 3000, coolOffMs: 60_000, revealMs: 500, attempts: 1, unmatchedMs: 3000 },
}

let market: AuditedMarket

async function open(terms: Partial<Terms> = {}): Promise<void> {
  market = await AuditedMarket.open({ ...TERMS, ...terms })
}
afterEach(() => market[Symbol.asyncDispose]())

/** One host that deviates in the warm-up alone, and honest ones that take nothing of it before it is committed. */
async function trained(deviation: Deviation, others: Deviation[], job: TrainJob = trainJob({ audit: ALL })) {
  let isCommitted = false
  const isWarmUp = (argv: string[]) => argv.includes("warm-up") && !argv.includes("replay")
  const first = await Worker.start(market.embedded.url, job, {
    result: lease => run(lease, isWarmUp(lease.spec.command.argv) ? deviation : {}),
  })
  const later = await Promise.all(
    others.map(other =>
      Worker.start(market.embedded.url, job, {
        result: lease => run(lease, other),
        takes: () => isCommitted,
      }),
    ),
  )
  market.workers.push(first, ...later)
  const id = await submit(market.buyer, job)
  await until(async () => (await market.status(id)).shards[1]?.state === "committed")
  isCommitted = true
  return { id, first }
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
  expect(await market.done(id)).toMatchObject({ state: "done" })
  expect(await warmUpOf(first)).toBe("receipt")
  const { run: ran } = first.handedIn.find(({ lease }) => lease.shard.label === "warm-up") ?? {}
  const kept = [...(ran?.states?.keys() ?? [])]
  const shown = await Promise.all(
    kept.map(async state => (await market.buyer.fetch(`/v2/contract/blobs/${state}`, { method: "HEAD" })).ok),
  )
  expect(kept).toHaveLength(SEGMENTS + 1)
  expect(shown.filter(isThere => isThere).length).toBeLessThan(kept.length)
  // Segments are paid by their share.
  const audits = market.workers
    .flatMap(({ endings }) => endings)
    .filter(({ lease }) => lease.spec.command.argv.includes("replay"))
  expect(audits.length).toBeGreaterThanOrEqual(4)
  for (const { lease } of audits) expect(lease.price).toEqual({ per: "shard", amount: 1_000_000 / SEGMENTS })
})

test("a segment that was made up is found by whoever replays it", async () => {
  await open()
  const { id, first } = await trained({ fakes: 2 }, [{}, {}, {}])
  expect(await warmUpOf(first)).toBe("audit-failed")
  expect(await market.done(id)).toMatchObject({ state: "done" })
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
  const job = trainJob({ audit: ALL })
  const host = await Worker.start(market.embedded.url, job, { result: torn })
  market.workers.push(host, await Worker.start(market.embedded.url, job, { takes: () => false }))
  await submit(market.buyer, job)
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
  expect(await market.done(id)).toMatchObject({ state: "done" })
  const compares = market.workers
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
