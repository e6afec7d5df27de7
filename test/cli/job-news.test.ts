import { expect, test } from "vitest"
import { jobNews } from "../../src/cli/job-news.ts"
import { jobReport } from "../../src/cli/job-report.ts"
import { JobStatus, type ShardStatus } from "../../src/protocol/job.ts"

const AGENT = "abcdef01".repeat(8)

function job(...shards: Partial<ShardStatus>[]): JobStatus {
  return JobStatus.parse({
    ...{ id: "job-0123456789ab", name: "words", kind: "batch", state: "running", reason: null },
    ...{ rounds: 0, losses: [], shardsTotal: 3, escrow: 3_000_000, spent: 0, results: [] },
    paidFrom: { granted: 3_000_000, earned: 0 },
    shards: shards.map((shard, index) => ({
      ...{ index, label: `shard-${index}`, state: "leased", attempt: 0, agent: AGENT },
      ...{ step: 0, steps: 0, loss: null, proof: null, cost: null },
      ...shard,
    })),
  })
}

test("a committed shard is told as waiting for its audits, and told once", () => {
  const [before, now] = [job({}), job({ state: "committed" })]
  expect(jobNews(before, now)).toEqual(["shard-0 committed by abcdef01: it waits for its audits"])
  expect(jobNews(now, now)).toEqual([])
  const settled = job({ state: "settled", cost: 1_000_000 as never })
  expect(jobNews(now, settled)).toEqual(["shard-0 settled by abcdef01, 1.00 credits"])
})

test("a shard that did not pass its audits says so, a lease that was lost does not", () => {
  const again = job({ state: "ready", agent: null, attempt: 1 })
  expect(jobNews(job({ state: "committed" }), again)).toEqual([
    "shard-0 did not pass its audits: it is offered anew",
  ])
  expect(jobNews(job({}), again)).toEqual([])
})

test("a job that waits because of its audits says why", () => {
  const reason =
    "is audited: one agent of other owners with the same card must be able to run each shard again"
  const waiting = { ...job(), state: "waiting" as const, reason }
  expect(jobNews(job(), waiting)).toEqual([`job waiting: ${reason}`])
})

test("a report counts what waits for its audits beside what is settled", () => {
  expect(jobReport(job({ state: "settled" }, { state: "committed" }))).toContain(
    "1 of 3 settled, 1 waiting for audits\n",
  )
  expect(jobReport(job({ state: "committed" }, { state: "committed" }))).toContain(
    "0 of 3 settled, 2 waiting for audits\n",
  )
  expect(jobReport(job({ state: "settled" }))).toContain("1 of 3 settled\n")
})

test("what was spent on audits is told beside what the shards have cost", () => {
  const settled = { state: "settled", cost: 1_000_000 as never } as const
  const audited = { ...job(settled, settled, settled), spent: 4_250_000 as never }
  const done = { ...audited, state: "done" as const }
  expect(jobNews(audited, done)).toEqual(["job done, 4.25 credits spent; 1.25 went to audits"])
  expect(jobReport(done)).toContain("4.25 spent of 3.00 granted credits; 1.25 went to audits\n")
  expect(jobReport({ ...done, spent: 3_000_000 as never })).not.toContain("audits")
  // Of a long job only the latest shards are told.
  const latest = done.shards.map(shard => ({ ...shard, index: shard.index + 1 }))
  expect(jobReport({ ...done, shards: latest })).not.toContain("audits")
})
