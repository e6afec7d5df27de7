import { mkdtempSync } from "node:fs"
import { readdir, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { execa } from "execa"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type CapacityReport, capacityStatement } from "../../src/protocol/capacity-report.ts"
import { signStatement } from "../../src/protocol/statement.ts"
import { openHome } from "../../src/runtime/agent/home.ts"
import { History } from "../../src/runtime/bench/report/history.ts"
import { ensureIdentity } from "../../src/store/identity.ts"
import { rig } from "../runtime/bench/page/rig.ts"

const home = openHome(mkdtempSync(join(tmpdir(), "zg-bench-page-")))
const path = join(home.root, "report.html")
beforeAll(async () => {
  const report = rig()
  const bundle = await signStatement(capacityStatement(report), await ensureIdentity(home.identity))
  await new History(home.reports).keep({ report, bundle })
})
afterAll(() => rm(home.root, { recursive: true }))

/** Says on stderr when what draws is loaded. */
const SPY = `data:text/javascript,${encodeURIComponent(
  `import { registerHooks } from "node:module"
   registerHooks({ load(url, context, next) { if (url.includes("/echarts/")) console.error("drawing"); return next(url, context) } })`,
)}`

function zgAgent(...args: string[]) {
  const env = { ZG_HOME: home.root, NODE_OPTIONS: `--import=${SPY}` }
  return execa(process.execPath, ["bin/run.js", ...args], { env, reject: false })
}

test("the newest report is shown as a table, and nothing that draws is loaded for it", async () => {
  const { exitCode, stdout, stderr } = await zgAgent("bench", "show")
  expect([exitCode, stderr]).toEqual([0, ""])
  expect(stdout).toMatch(/Card NVIDIA GeForce RTX 4090 \(GPU-0ad3f2b4.*\): degraded/)
  expect(stdout).toMatch(/Signed report: \S+\.json$/)
})

test("as a page, it is drawn, the path is told, and the process ends", { timeout: 60_000 }, async () => {
  const { exitCode, stdout, stderr } = await zgAgent("bench", "show", "--html", path)
  expect([exitCode, stderr]).toEqual([0, "drawing"])
  expect(stdout).toMatch(new RegExp(`Page: ${path}$`))
  expect(await readFile(path, "utf8")).toContain("6 of 8 cards are sound")
})

test("in JSON it has its signature and where the page is", { timeout: 60_000 }, async () => {
  const { stdout } = await zgAgent("bench", "show", "--html", path, "--json")
  const shown = JSON.parse(stdout) as { report: CapacityReport; bundle: object; page: string }
  expect(shown).toMatchObject({ report: rig(), page: path, bundle: { dsseEnvelope: {} }, previous: null })
})

test("a place for a page that is none ends `bench` before it measures", async () => {
  const { exitCode, stderr } = await zgAgent("bench", "--quick", "--html", home.root)
  expect(exitCode).toBe(2)
  expect(stderr).toContain("is a folder")
  expect(stderr).toContain("usage: bad-argument")
  expect(await readdir(home.reports)).toHaveLength(1)
})
