import { cp, readdir, readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { execa } from "execa"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { JobStatus } from "../../src/protocol/job.ts"
import { eventually, importShell, Town } from "./town.ts"

const IMAGE = `zg-test/ledger-${process.pid}:latest`

let town: Town
beforeAll(async () => {
  await importShell(IMAGE)
  town = await Town.found()
  await town.register("buyer")
  await town.register("agent")
}, 60_000)
afterAll(async () => {
  await town.close()
  await execa("docker", ["rmi", "--force", IMAGE], { reject: false })
}, 60_000)

async function runJob(name: string): Promise<void> {
  const yaml = `kind: batch
name: ${name}
image: ${IMAGE}
pricePerShard: 0.1
resources: { memoryMiB: 64 }
shards: [{ command: { argv: [/bin/sh, -c, "echo ${name} > /shard/out/result"] }, outputs: [result] }]
`
  const { job } = await town.run<{ job: string }>("buyer", ["job", "submit", await town.job(name, yaml)])
  await eventually(
    async () => (await town.run<JobStatus>("buyer", ["job", "status", job])).state === "done",
    120_000,
  )
}

interface Verified {
  size: number
  receipts: number
  statements: number
  witnesses: string[]
  root: string
}

const verify = (home: string, ...more: string[]) => town.run<Verified>(home, ["ledger", "verify", ...more])
const ledgerFolder = () => join(town.home("market"), "market/ledger")

test("a witness sees the ledger grow, and everybody can check the whole of it", {
  timeout: 240_000,
}, async () => {
  await expect(town.run("witness", ["ledger", "witness", "--port", "0"])).rejects.toMatchObject({
    code: "not-registered",
  })
  await town.register("witness")
  const { log } = town.start("witness", ["ledger", "witness", "--port", "0", "--json"])
  const { url, vkey } = (await eventually(() => firstLine(log))) as { url: string; vkey: string }
  await town.stop("market")
  await town.openMarket(["--witness", `${vkey}@${url}`])
  town.serve("agent")
  await runJob("first")
  const checked = await verify("agent", "--witness", vkey)
  expect(checked).toMatchObject({ receipts: 1, statements: 1, witnesses: [vkey.split("+")[0]] })
  // Anybody, with a copy and the key.
  const copy = join(town.root, "copy")
  await cp(ledgerFolder(), copy, { recursive: true })
  await expect(verify("nobody", copy)).rejects.toMatchObject({ code: "not-registered" })
  await expect(verify("nobody", copy, "--key", "no key")).rejects.toMatchObject({ code: "bad-argument" })
  expect((await verify("buyer", copy)).root).toBe(checked.root)
})

test("a marketplace that lost what it had published does not start", { timeout: 60_000 }, async () => {
  const state = join(town.home("market"), "market")
  await town.stop("market")
  const kept = join(town.root, "kept")
  await cp(state, kept, { recursive: true })
  for (const name of ["market.sqlite", "market.sqlite-wal", "market.sqlite-shm"])
    await rm(join(state, name), { force: true })
  await expect(town.run("market", ["market", "start", "--port", `${town.port}`])).rejects.toMatchObject({
    code: "ledger-forked",
  })
  await rm(state, { recursive: true })
  await cp(kept, state, { recursive: true })
  await town.openMarket()
})

test("an agent takes no more work from a marketplace that begins its ledger anew", {
  timeout: 240_000,
}, async () => {
  await runJob("second")
  const remembered = join(town.home("agent"), "ledger")
  await eventually(async () => (await readdir(remembered).catch((): string[] => [])).includes("checkpoint"))
  await town.stop("agent")
  await town.stop("market")
  const state = join(town.home("market"), "market")
  for (const name of ["market.sqlite", "market.sqlite-wal", "market.sqlite-shm", "ledger"])
    await rm(join(state, name), { recursive: true, force: true })
  await town.openMarket()
  await town.register("agent")
  const agent = town.serve("agent")
  expect((await agent.process).exitCode).toBe(50)
  expect(await readFile(agent.log, "utf8")).toContain("ledger-forked")
  expect((await readdir(remembered)).some(name => name.startsWith("forked-"))).toBe(true)
  await expect(verify("agent")).rejects.toMatchObject({ code: "ledger-forked" })
})

/** What a program with --json has answered at its start; null before. */
async function firstLine(log: string): Promise<unknown> {
  const line = (await readFile(log, "utf8")).split("\n").find(text => text.startsWith('{"url"'))
  return line === undefined ? null : JSON.parse(line)
}
