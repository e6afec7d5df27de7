import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { execa } from "execa"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { JobStatus } from "../../src/protocol/job.ts"
import { eventually, importShell, Town } from "./town.ts"

const IMAGE = `zg-test/shell-${process.pid}:latest`
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

const batch = (more = "") => `kind: batch
name: shell
image: ${IMAGE}
pricePerShard: 0.1
shards:
  - command: { argv: [/bin/sh, -c, "echo made > /shard/out/result.txt"] }
    outputs: [result.txt]
${more}`

const submit = async (yaml: string) =>
  town.run<{ job: string }>("buyer", ["job", "submit", await town.job("bad", yaml)])

test("an unknown field in a job file is named with its line", async () => {
  await expect(submit(`${batch()}retries: 3\n`)).rejects.toMatchObject({
    code: "bad-job-file",
    message: expect.stringContaining("bad.yaml:8: retries"),
  })
})

test("an image that is not there, locally or at the marketplace", async () => {
  await expect(submit(batch().replace(IMAGE, "zg-test/nowhere:latest"))).rejects.toMatchObject({
    code: "image-missing",
  })
  const nowhere = `team/net@sha256:${"0".repeat(64)}`
  await expect(submit(batch().replace(IMAGE, nowhere))).rejects.toMatchObject({ code: "image-missing" })
})

test.each([
  ["a digest that is none", "team/net@sha256:12"],
  ["capital letters", "Team/Net@sha256:00"],
])("an image with %s", async (_, image) => {
  await expect(submit(batch().replace(IMAGE, image))).rejects.toMatchObject({ code: "bad-image-reference" })
})

test("a text that is not there", async () => {
  const job = `kind: train\nname: t\nimage: ${IMAGE}\ntext: nowhere.txt\nrounds: 1\npricePerShard: 0\n`
  await expect(submit(job)).rejects.toMatchObject({
    code: "file-unreadable",
    message: expect.stringContaining("nowhere.txt"),
  })
})

test("a price that the buyer cannot pay says what is missing", async () => {
  await expect(submit(batch().replace("0.1", "100000"))).rejects.toMatchObject({ code: "credits-short" })
})

test("a job that nobody can run says what it needs and what there is", async () => {
  const { job } = await submit(batch("resources: { device: cuda, vramMiB: 24576 }\n"))
  const { state, reason } = await town.run<JobStatus>("buyer", ["job", "status", job])
  expect(state).toBe("waiting")
  expect(reason).toContain("needs cuda with 24576 MiB VRAM")
})

test("a job that does not exist, and an id that is none", async () => {
  await expect(town.run("buyer", ["job", "status", "job-0123456789ab"])).rejects.toMatchObject({
    code: "job-unknown",
  })
  await expect(town.run("buyer", ["job", "status", "../etc"])).rejects.toMatchObject({ code: "bad-argument" })
})

test("an agent that registers twice is the same agent, and gets its credits once", async () => {
  const first = await town.register("twice")
  const second = await town.register("twice")
  expect(second).toMatchObject({ agent: first.agent, balance: first.balance, again: true })
})

test("a home that was never registered", async () => {
  await expect(
    town.run("stranger", ["serve", "--engine", "docker", "--cpu-slots", "1"]),
  ).rejects.toMatchObject({
    code: "not-registered",
  })
})

test("a marketplace that is not there, an address that is none, a port that is taken", async () => {
  const register = (url: string) => town.run("lost", ["register", "--market", url])
  await expect(register("ws://127.0.0.1:1")).rejects.toMatchObject({ code: "market-unreachable" })
  await expect(register("http://127.0.0.1")).rejects.toMatchObject({ code: "bad-argument" })
  await expect(town.run("second", ["market", "start", "--port", `${town.port}`])).rejects.toMatchObject({
    code: "port-in-use",
  })
})

test("nothing to serve with", async () => {
  await expect(town.run("agent", ["serve", "--engine", "docker"])).rejects.toMatchObject({
    code: "nothing-to-offer",
  })
})

test("a second agent on the same home", async () => {
  town.serve("agent")
  await eventually(async () => (await town.run<{ serving: unknown }>("agent", ["status"])).serving)
  await expect(town.run("agent", ["serve", "--engine", "docker", "--cpu-slots", "1"])).rejects.toMatchObject({
    code: "already-serving",
  })
  await town.stop("agent")
})

test.each([
  ["no engine", "engine-missing", null],
  ["an engine that does not answer", "engine-silent", "#!/bin/sh\nexec sleep 60\n"],
])("%s", async (name, code, script) => {
  const bin = join(town.root, `bin-${code}`)
  mkdirSync(bin)
  if (script !== null) {
    writeFileSync(join(bin, "docker"), script)
    chmodSync(join(bin, "docker"), 0o755)
  }
  const env = { ZG_HOME: town.home("agent"), PATH: script === null ? bin : `${bin}:/usr/bin:/bin` }
  const { stdout, exitCode } = await execa(
    process.execPath,
    ["bin/run.js", "serve", "--engine", "docker", "--cpu-slots", "1", "--json"],
    { env, reject: false },
  )
  expect(JSON.parse(stdout), name).toMatchObject({ error: { code, area: "host" } })
  expect(exitCode).toBe(10)
})
