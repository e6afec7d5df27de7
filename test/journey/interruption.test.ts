import { rm } from "node:fs/promises"
import { join } from "node:path"
import { execa } from "execa"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { JobStatus } from "../../src/protocol/job.ts"
import type { ProofStatement } from "../../src/protocol/proof.ts"
import type { AgentReport } from "../../src/runtime/agent/report.ts"
import { containersOf, eventually, importShell, Town } from "./town.ts"

const IMAGE = `zg-test/shell-${process.pid}:latest`
let town: Town
let agent: string

beforeAll(async () => {
  await importShell(IMAGE)
  town = await Town.found()
  await town.register("buyer")
  agent = (await town.register("agent")).agent
}, 60_000)

afterAll(async () => {
  await town.close()
  await execa("docker", ["rmi", "--force", IMAGE], { reject: false })
}, 60_000)

/** Submits a shard that takes a while, and returns once it runs. */
async function begin(seconds: number): Promise<string> {
  const yaml = `kind: batch
name: slow
image: ${IMAGE}
pricePerShard: 0.1
shards:
  - command: { argv: [/bin/sh, -c, "sleep ${seconds}; echo made > /shard/out/result.txt"] }
    outputs: [result.txt]
`
  const { job } = await town.run<{ job: string }>("buyer", ["job", "submit", await town.job("slow", yaml)])
  await eventually(async () => {
    const { serving } = await town.run<AgentReport>("agent", ["status"])
    return serving?.slots.some(({ shard }) => shard?.job === job && shard.at === "running")
  })
  return job
}

async function finish(job: string): Promise<JobStatus> {
  return eventually(async () => {
    const status = await town.run<JobStatus>("buyer", ["job", "status", job]).catch(() => null)
    return status?.state === "done" && status
  }, 90_000)
}

const earned = async () => (await town.run<AgentReport>("agent", ["status"])).earned

test("a marketplace that is killed while a shard runs: paid once after it is back", {
  timeout: 120_000,
}, async () => {
  town.serve("agent")
  const before = await earned()
  const job = await begin(3)
  await town.kill("market")
  await town.openMarket()
  const { spent } = await finish(job)
  expect(spent).toBe(100_000)
  expect((await earned()) - before).toBe(98_000)
})

test("an agent that is killed while a shard runs: the container goes on, and the next start proves it", {
  timeout: 120_000,
}, async () => {
  const job = await begin(4)
  const [container] = await containersOf(agent)
  await town.kill("agent")
  expect(await containersOf(agent)).toEqual([container])
  town.serve("agent")
  await finish(job)
  const { proofs } = await town.run<{ proofs: { proof: string }[] }>("agent", ["proof", "list", "--job", job])
  const statement = await town.run<ProofStatement>("agent", ["proof", "show", proofs[0]?.proof ?? ""])
  expect(statement.predicate.runDetails.metadata.invocationId).toMatch(/\/1$/)
})

test("an agent that is asked to end leaves no container, and goes on when it is started again", {
  timeout: 120_000,
}, async () => {
  const job = await begin(4)
  await town.stop("agent")
  expect(await containersOf(agent)).toEqual([])
  town.serve("agent")
  expect((await finish(job)).state).toBe("done")
})

test("a marketplace that has lost its memory ends the agent, which says what to do", {
  timeout: 60_000,
}, async () => {
  await town.stop("agent")
  await town.kill("market")
  // With its ledger: a marketplace that has published more than its database holds does not start.
  for (const name of ["market.sqlite", "ledger"])
    await rm(join(town.home("market"), "market", name), { recursive: true })
  await town.openMarket()
  await expect(town.run("agent", ["serve", "--engine", "docker", "--cpu-slots", "1"])).rejects.toMatchObject({
    code: "not-registered",
  })
})
