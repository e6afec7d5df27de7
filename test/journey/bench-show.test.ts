import { mkdtempSync } from "node:fs"
import { rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { execa } from "execa"
import { afterAll, expect, test } from "vitest"
import { capacityStatement } from "../../src/protocol/capacity-report.ts"
import { signStatement } from "../../src/protocol/statement.ts"
import { openHome } from "../../src/runtime/agent/home.ts"
import { History } from "../../src/runtime/bench/report/history.ts"
import { ensureIdentity } from "../../src/store/identity.ts"
import { sampleReport } from "../runtime/bench/report/sample-report.ts"

const home = openHome(mkdtempSync(join(tmpdir(), "zg-bench-show-")))
afterAll(() => rm(home.root, { recursive: true }))

const zgAgent = (...args: string[]) =>
  execa(process.execPath, ["bin/run.js", ...args], { env: { ZG_HOME: home.root }, reject: false })

test("a machine that was not measured says so; one that was shows it as it was signed", async () => {
  const { exitCode, stdout } = await zgAgent("bench", "show", "--json")
  expect(exitCode).toBe(10)
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: "report-missing" } })
  const report = sampleReport()
  const bundle = await signStatement(capacityStatement(report), await ensureIdentity(home.identity))
  await new History(home.reports).keep({ report, bundle })
  const table = await zgAgent("bench", "show")
  expect([table.exitCode, table.stderr]).toEqual([0, ""])
  expect(table.stdout).toMatch(/matmul-fp32 +50 TFLOP\/s/)
  expect(table.stdout).toMatch(/Signed report: \S+\.json$/)
  const json = await zgAgent("bench", "show", "--json")
  expect(JSON.parse(json.stdout)).toMatchObject({ report, bundle, previous: null })
})
