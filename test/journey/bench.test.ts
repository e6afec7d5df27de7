import { existsSync } from "node:fs"
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises"
import os from "node:os"
import { join } from "node:path"
import { execa } from "execa"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type CapacityReport, checkCapacity } from "../../src/protocol/capacity-report.ts"
import type { JobStatus } from "../../src/protocol/job.ts"
import { loadIdentity } from "../../src/store/identity.ts"
import { findSoftwareAdapter } from "../runtime/bench/gpu/software-adapter.ts"
import { eventually, importShell, Town } from "./town.ts"

const IMAGE = `zg-test/bench-${process.pid}:latest`

interface Benched {
  report: CapacityReport
  bundle: Parameters<typeof checkCapacity>[0]
  peaks: unknown[]
  previous: CapacityReport | null
  path: string
  unsent: string | null
}

let town: Town
beforeAll(async () => {
  Object.assign(process.env, findSoftwareAdapter() ?? {})
  await importShell(IMAGE)
  town = await Town.found()
  await town.register("buyer")
}, 60_000)
afterAll(async () => {
  await town.close()
  await execa("docker", ["rmi", "--force", IMAGE], { reject: false })
}, 60_000)

const bench = (...more: string[]) =>
  town.run<Benched>("agent", ["bench", "--quick", "--engine=docker", ...more])

test("a part alone is measured before there is a marketplace, signed, kept, and not told", {
  timeout: 120_000,
}, async () => {
  const { report, bundle, peaks, path, unsent } = await bench("--only", "gpus")
  checkCapacity(bundle, (await loadIdentity(join(town.home("agent"), "identity.pem"))).publicKey, report)
  expect(JSON.parse(await readFile(path, "utf8"))).toEqual({ report, bundle })
  expect(unsent).toMatch(/whole reports/)
  expect(report).toMatchObject({ depth: "quick", parts: ["gpus"], work: null, host: { figures: [] } })
  expect(peaks).toHaveLength(report.cards.length)
  // A processor that plays a card is named as one, and is no card.
  for (const { adapter } of report.software) expect(adapter.isSoftware).toBe(true)
  if (findSoftwareAdapter() !== null) expect(report.software).toHaveLength(1)
})

test("the whole is told, before and after registration, and shards are matched by it", {
  timeout: 240_000,
}, async () => {
  const whole = await bench()
  expect(whole.unsent).toMatch(/not registered/)
  expect(whole.report.host.figures.map(({ name }) => name)).toContain("cpu-matmul-fp32-wasm-all-cores")
  const registered = await town.run<{ measuredOn: string }>("agent", ["register", "--market", town.url])
  expect(registered.measuredOn).toBe(whole.report.startedOn)
  const again = await bench()
  expect(again.unsent).toBeNull()
  expect(again.previous?.startedOn).toBe(whole.report.startedOn)
  const named = (name: string) => again.report.host.figures.find(figure => figure.name === name)?.median ?? 0
  expect(named("market-up") * named("market-down") * named("market-round-trip")).toBeGreaterThan(0)
  const reached = named("cpu-sha256-one-core")
  expect(reached).toBeGreaterThan(0)
  town.serve("agent")
  await eventually(async () => (await town.run<{ serving: unknown }>("agent", ["status"])).serving)
  await expect(bench("--only", "host")).rejects.toMatchObject({ code: "already-serving" })
  const submit = async (name: string, atLeast: number) => {
    const yaml = `kind: batch
name: ${name}
image: ${IMAGE}
pricePerShard: 0.1
resources: { memoryMiB: 64, atLeast: { cpu-sha256-one-core: ${atLeast} } }
shards: [{ command: { argv: [/bin/sh, -c, "echo done > /shard/out/result"] }, outputs: [result] }]
`
    return (await town.run<{ job: string }>("buyer", ["job", "submit", await town.job(name, yaml)])).job
  }
  const [able, unable] = [
    await submit("able", Math.floor(reached / 2)),
    await submit("unable", Math.ceil(reached * 2)),
  ]
  const status = (job: string) => town.run<JobStatus>("buyer", ["job", "status", job])
  await eventually(async () => (await status(able)).state === "done")
  expect(await status(unable)).toMatchObject({
    state: "waiting",
    reason: expect.stringContaining("the best measured cpu-sha256-one-core is"),
  })
})

test("a machine that has changed is measured again before it takes work, unless it is paused", {
  timeout: 400_000,
}, async () => {
  await town.stop("agent")
  const folder = join(town.home("agent"), "reports")
  const names = async () => (await readdir(folder)).sort()
  const [newest = ""] = (await names()).reverse()
  const kept = JSON.parse(await readFile(join(folder, newest), "utf8"))
  kept.report.host.kernel = "of another day"
  await writeFile(join(folder, newest), JSON.stringify(kept))
  const before = await names()
  const status = () => town.run<{ serving: { mode: { mode: string } } | null }>("agent", ["status"])
  const serve = () => town.start("agent", ["serve", "--engine=docker", "--cpu-slots=1", "--memory-mib=2048"])
  await writeFile(join(town.home("agent"), "paused"), new Date().toISOString())
  serve()
  await eventually(async () => (await status()).serving?.mode.mode === "paused")
  expect(await names()).toEqual(before)
  await town.run("agent", ["resume"])
  await town.stop("agent")
  serve()
  await eventually(async () => (await status()).serving, 300_000)
  const added = (await names()).filter(name => !before.includes(name))
  expect(added).toHaveLength(1)
  const { report, bundle } = JSON.parse(await readFile(join(folder, added[0] ?? ""), "utf8"))
  checkCapacity(bundle, (await loadIdentity(join(town.home("agent"), "identity.pem"))).publicKey, report)
  expect(report).toMatchObject({ depth: "quick", host: { kernel: os.release() } })
})

test("rules that cannot be read are not taken for none", async () => {
  await mkdir(town.home("ruled"))
  await writeFile(join(town.home("ruled"), "rules.yaml"), "bench: { maxTemperatureC: 900 }\n")
  await expect(town.run("ruled", ["bench", "--only", "gpus"])).rejects.toMatchObject({
    code: "rules-unreadable",
    message: expect.stringContaining("from 40 to 110 °C"),
  })
})

test("Ctrl-C ends it at once, and nothing of it runs on or stays", { timeout: 60_000 }, async () => {
  const program = town.start("stopped", ["bench", "--full", "--only", "gpus"])
  const children = async () => {
    const { stdout } = await execa("pgrep", ["--parent", `${program.process.pid}`], { reject: false })
    return stdout.split("\n").filter(Boolean)
  }
  const [measuring] = (await eventually(async () => {
    const found = await children()
    return found.length > 0 && found
  })) as string[]
  program.process.kill("SIGINT")
  expect((await program.process).exitCode).toBe(130)
  expect(existsSync(`/proc/${measuring}`)).toBe(false)
  expect(await readdir(town.home("stopped"))).not.toContain("reports")
})
