import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pino } from "pino"
import { afterAll, beforeAll, expect, test } from "vitest"
import { randomId } from "../../src/protocol/handshake.ts"
import { type Home, openHome } from "../../src/runtime/agent/home.ts"
import { register } from "../../src/runtime/agent/register.ts"
import { serve } from "../../src/runtime/agent/serve.ts"
import { openJournal } from "../../src/runtime/shard/journal.ts"
import { leased } from "../../src/runtime/shard/state.ts"
import { enrol } from "../contract/client.ts"
import { Embedded } from "../contract/market.ts"
import { batchJob, submit } from "../contract/work.ts"
import { specOf } from "../runtime/host/rules/sample.ts"
import { engineOrReason } from "./bench.ts"

const engine = await engineOrReason()
if (typeof engine === "string") process.stderr.write(`engine tests are skipped: ${engine}\n`)
const within = (name: string, run: () => Promise<void>) =>
  test.skipIf(typeof engine === "string")(name, run, 60_000)

let market: Embedded
let root: string
beforeAll(async () => {
  market = await Embedded.start({ coolOffMs: 20, unmatchedMs: 1000 })
  root = await mkdtemp(join(tmpdir(), "zg-rules-"))
})
afterAll(async () => {
  await market.stop()
  await rm(root, { recursive: true, force: true })
})

interface LogLine {
  msg: string
  message?: string
  rule?: string
  code?: string
}

/** An agent's home with these rules, enrolled at the marketplace. */
async function homeWith(rules: string): Promise<Home> {
  const home = openHome(join(root, crypto.randomUUID()))
  const options = { home, url: market.url, name: "owner", trustNewKey: false, sysfs: "/sys", agent: "test" }
  await register(options, AbortSignal.timeout(30_000))
  await writeFile(home.rules, rules)
  return home
}

/** A real agent, and what it logs. */
function serving(home: Home) {
  const lines: LogLine[] = []
  const log = pino({ level: "debug" }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const stop = new AbortController()
  const offering = { gpus: "none" as const, cpuSlots: 1, cpus: 1, memoryMiB: 512 }
  const program = { name: "test", version: "0.0.0" }
  const isolation = { engine: "docker" as const, runtime: "auto" }
  const served = serve({ home, offering, isolation, sysfs: "/sys", metrics: null, program, log }, stop.signal)
  // A test that fails earlier never waits for it.
  served.catch(() => {})
  return { lines, served, stop: () => stop.abort() }
}

within("an agent declines what its owner forbids, and the buyer is told by which rule", async () => {
  const agent = serving(await homeWith("limits: { outMiB: 32 }\n"))
  // A job that nobody could take would fail before the agent is there.
  await expect
    .poll(() => agent.lines.some(({ msg }) => msg === "market.connected"), { timeout: 30_000 })
    .toBe(true)
  const buyer = await enrol(market.url)
  const job = batchJob(1, { resources: { device: "cpu", cpus: 1, memoryMiB: 64, vramMiB: 0 } })
  const id = await submit(buyer, job)
  await buyer.ask({ type: "watch", job: id }, "job")
  const told = (rule: string) =>
    buyer.wire.take(
      frame =>
        frame.type === "job" &&
        frame.status.state === "failed" &&
        frame.status.reason?.includes(rule) === true,
      "end",
      30_000,
    )
  expect(await told("limits.outMiB")).toMatchObject({
    status: { reason: expect.stringContaining("it asks for 64 MiB, the owner allows 32 MiB") },
  })
  expect(agent.lines).toContainEqual(
    expect.objectContaining({ msg: "offer.declined", rule: "limits.outMiB" }),
  )
  agent.stop()
  await agent.served
  await buyer.close()
})

within("a lease from before a change of the rules is given up with the rule named", async () => {
  const home = await homeWith("images: { allow: [] }\n")
  const journal = openJournal(home.journal)
  const assignment = {
    job: "job-0123456789ab" as never,
    shard: { index: 0, label: "shard-0" },
    lease: {
      id: randomId<never>(),
      epoch: 1,
      nonce: randomId<never>(),
      notAfter: "2099-01-01T00:00:00.000Z",
    },
    spec: specOf(),
  }
  const berth = { slot: "cpu-0", placement: { device: "cpu" as const }, gpus: [] }
  await journal.record(leased(assignment, berth))
  journal.close()
  const agent = serving(home)
  await expect
    .poll(() => agent.lines.find(({ msg }) => msg === "shard.abandoned"), { timeout: 30_000 })
    .toMatchObject({ code: "shard-not-allowed", message: expect.stringContaining("images.allow") })
  agent.stop()
  expect(await agent.served).toMatchObject({ abandoned: 1 })
})

within("rules that cannot be read stop the agent before it takes anything", async () => {
  const home = await homeWith("limits: { outMB: 32 }\n")
  await expect(serving(home).served).rejects.toMatchObject({
    code: "rules-unreadable",
    message: `${home.rules}:1: limits.outMB is no rule`,
  })
})
