import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { agentReport } from "../../../src/cli/agent-report.ts"
import { modeReport } from "../../../src/cli/mode-report.ts"
import { untilDrained } from "../../../src/runtime/agent/drain.ts"
import { openHome } from "../../../src/runtime/agent/home.ts"
import { type AgentStatus, shardReport, statusLine } from "../../../src/runtime/agent/status.ts"
import { openJournal } from "../../../src/runtime/shard/journal.ts"
import type { OpenState } from "../../../src/runtime/shard/state.ts"
import { COMMITTED, PROVED, RUNNING } from "../shard/sample.ts"

const never = new AbortController().signal
const SINCE = "2026-11-23T01:02:03.456Z"

async function drainedWith(left: OpenState): Promise<number> {
  const home = openHome(mkdtempSync(join(tmpdir(), "zg-drain-")))
  const journal = openJournal(home.journal)
  await journal.record(left)
  journal.close()
  return untilDrained(home, 7, never)
}

test("a drain does not wait for audits, and tells how many shards it leaves to them", async () => {
  expect(await drainedWith(COMMITTED)).toBe(1)
  for (const left of [RUNNING, PROVED])
    await expect(drainedWith(left)).rejects.toMatchObject({ code: "drain-unfinished" })
})

const reported = [PROVED, COMMITTED].map(state =>
  shardReport({ state, progress: null, isHeld: false, since: 0, stop: new AbortController() }),
)

test("a report of a drain counts what it waits for and what it does not", () => {
  const told = modeReport({
    ...{ mode: { mode: "draining", since: SINCE }, changed: true, pid: 7, keptUntil: null, unstopped: 0 },
    shards: reported,
  })
  expect(told).toContain("The agent ends after 1 shard;")
  expect(told).toContain("Waiting for audits: 1 shard.")
})

test("the status shows what a proof waits for, and that it holds no slot", () => {
  const slot = { id: "cpu-0", device: "cpu", cpus: 1, memoryMiB: 1024, vramMiB: 0 } as const
  const serving: AgentStatus = {
    ...{ agent: "a".repeat(64) as AgentStatus["agent"], pid: 7, connected: true, breakers: [], cards: [] },
    ...{ mode: { mode: "draining", since: SINCE }, slots: [{ ...slot, gpus: [], shard: null }] },
    ...{ proved: reported, settled: 0, abandoned: 0, earned: 0 },
  }
  const lines = agentReport({
    ...{ name: "rig", agent: serving.agent, market: "ws://market.example", serving, pausedSince: null },
    ...{ lately: [], settled: 0, abandoned: 0, earned: 0 },
  }).split("\n")
  expect(lines).toContainEqual(expect.stringMatching(/cpu-0 .*free/))
  expect(lines).toContainEqual(expect.stringMatching(/round-2\/train-0 of job-0123456789ab +its receipt/))
  expect(lines).toContainEqual(expect.stringMatching(/round-2\/train-0 of job-0123456789ab +its audits/))
  expect(statusLine(serving)).toBe("Draining, 1 shards left")
})
