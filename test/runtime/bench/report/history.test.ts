import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { type CapacityReport, capacityStatement } from "../../../../src/protocol/capacity-report.ts"
import { signStatement } from "../../../../src/protocol/statement.ts"
import { History } from "../../../../src/runtime/bench/report/history.ts"
import { newIdentity } from "../../../contract/client.ts"
import { sampleReport } from "./sample-report.ts"

const signer = newIdentity()
let folder: string
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "zg-reports-")), "reports")
})
afterEach(() => rm(join(folder, ".."), { recursive: true }))

async function signed(report: CapacityReport) {
  return { report, bundle: await signStatement(capacityStatement(report), signer) }
}

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString()

test("the newest that fits is found, and a damaged file is passed over", async () => {
  const history = new History(folder)
  expect(await history.newest()).toBeNull()
  const whole = await signed(sampleReport({ startedOn: at(1) }))
  const part = await signed(sampleReport({ startedOn: at(2), parts: ["host"] }))
  await history.keep(whole)
  await history.keep(part)
  await writeFile(join(folder, "2026-09-09.json"), '{"report": ')
  await writeFile(join(folder, "2026-09-10.json"), "{}")
  expect(await history.newest()).toEqual(part)
  expect(await history.newest(({ parts }) => parts.length > 1)).toEqual(whole)
})

test("fifty are kept, the oldest go", async () => {
  const history = new History(folder)
  for (let second = 0; second < 53; second++)
    await history.keep(await signed(sampleReport({ startedOn: at(second) })))
  const names = (await readdir(folder)).sort()
  expect(names).toHaveLength(50)
  expect(names[0]).toContain("00-00-03")
})
