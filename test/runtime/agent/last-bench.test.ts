import { mkdtempSync } from "node:fs"
import { rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { type CapacityReport, capacityStatement } from "../../../src/protocol/capacity-report.ts"
import { signStatement } from "../../../src/protocol/statement.ts"
import { type Home, openHome } from "../../../src/runtime/agent/home.ts"
import { lastBench } from "../../../src/runtime/agent/last-bench.ts"
import { History } from "../../../src/runtime/bench/report/history.ts"
import { ensureIdentity } from "../../../src/store/identity.ts"
import { CARD, figure, sampleReport } from "../bench/report/sample-report.ts"

let home: Home
beforeEach(() => {
  home = openHome(mkdtempSync(join(tmpdir(), "zg-last-bench-")))
})
afterEach(() => rm(home.root, { recursive: true }))

async function keep(report: CapacityReport) {
  const bundle = await signStatement(capacityStatement(report), await ensureIdentity(home.identity))
  return new History(home.reports).keep({ report, bundle })
}

const on = (day: number) => `2026-01-0${day}T00:00:00.000Z`

test("the newest is shown, with what was measured of the same parts before it", async () => {
  const whole = await keep(sampleReport({ startedOn: on(1) }))
  await keep(sampleReport({ startedOn: on(2), parts: ["host"] }))
  const newest = await keep(sampleReport({ startedOn: on(3), parts: ["gpus"] }))
  expect(newest.previous).toEqual(whole.report)
  const peaks = [expect.objectContaining({ identity: CARD.identity })]
  expect(await lastBench(home)).toEqual({ ...newest, peaks })
})

test("the first has none before it", async () => {
  expect((await keep(sampleReport())).previous).toBeNull()
})

test("a home in which nothing was measured says what to do", async () => {
  await expect(lastBench(home)).rejects.toMatchObject({
    code: "report-missing",
    hint: expect.stringContaining("zg-agent bench"),
  })
})

test("a report that was changed, or that another key signed, is not shown", async () => {
  const { path, bundle, report } = await keep(sampleReport())
  const cards = [{ ...CARD, figures: [figure("matmul-fp32", 99e12)] }]
  await writeFile(path, JSON.stringify({ bundle, report: { ...report, cards } }))
  await expect(lastBench(home)).rejects.toMatchObject({ code: "proof-mismatch" })
  await writeFile(path, JSON.stringify({ bundle, report }))
  await rm(home.identity)
  await ensureIdentity(home.identity)
  await expect(lastBench(home)).rejects.toMatchObject({ code: "proof-signature-wrong" })
})
