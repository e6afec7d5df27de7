import { mkdtempSync } from "node:fs"
import { readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { execa } from "execa"
import { afterAll, expect, test } from "vitest"
import { zgAgent } from "../../scripts/quickstart/programs.ts"
import type { AgentReport } from "../../src/runtime/agent/report.ts"
import { containersOf, eventually } from "./town.ts"

const root = mkdtempSync(join(tmpdir(), "zg-quickstart-"))

afterAll(() => rm(root, { recursive: true, force: true }))

function quickstart() {
  const options = { env: { ZG_HOME: root }, reject: false, all: true } as const
  return execa(process.execPath, ["scripts/quickstart/quickstart.ts"], options)
}

function report(name: string): Promise<AgentReport> {
  return zgAgent<AgentReport>(join(root, name), ["status"], AbortSignal.timeout(20_000))
}

test("interrupted, it ends with 130 and leaves no container and no process", {
  timeout: 300_000,
}, async () => {
  const running = quickstart()
  const { agent } = await eventually(async () => {
    const seen = await report("agent-1").catch(() => null)
    return seen?.serving?.slots.some(({ shard }) => shard?.at === "running") && seen
  }, 240_000)
  running.kill("SIGINT")
  const { exitCode, all } = await running
  expect(exitCode, all).toBe(130)
  expect(await containersOf(agent)).toEqual([])
  expect((await report("agent-1")).serving).toBeNull()
})

test("started again, it goes on with the job, and ends with a model, proofs and earnings", {
  timeout: 500_000,
}, async () => {
  const { exitCode, all } = await quickstart()
  expect(exitCode, all).toBe(0)
  expect(all).toContain("Going on with job-")
  expect(all).toMatch(/^ {2}untrained {2}5\.\d+ █+▶$/m)
  expect(all).toMatch(/^ {2}round-6 +1\.\d+ █+$/m)
  expect(all).toContain("27 proofs verified")
  const agents = [await report("agent-1"), await report("agent-2")]
  expect(agents.reduce((sum, { earned }) => sum + earned, 0)).toBe(27 * 245_000)
  expect(agents.every(({ abandoned }) => abandoned === 0)).toBe(true)
  expect(await readFile(join(root, "trained/sample.txt"), "utf8")).toContain("In the beginning")
})
