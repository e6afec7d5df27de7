import { execa } from "execa"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { JobStatus } from "../../src/protocol/job.ts"
import type { AgentReport } from "../../src/runtime/agent/report.ts"
import { eventually, importShell, Town } from "./town.ts"

const BAD = `zg-test/bad-${process.pid}:latest`
const GOOD = `zg-test/good-${process.pid}:latest`

let town: Town
beforeAll(async () => {
  await importShell(BAD)
  // The same programs, but another image.
  await execa("docker", ["build", "--quiet", "--tag", GOOD, "-"], { input: `FROM ${BAD}\nLABEL test=good\n` })
  town = await Town.found()
  await town.register("buyer")
  await town.register("agent")
}, 90_000)

afterAll(async () => {
  await town.close()
  await execa("docker", ["rmi", "--force", GOOD, BAD], { reject: false })
}, 60_000)

async function submit(name: string, image: string, script: string): Promise<string> {
  const yaml = `kind: batch
name: ${name}
image: ${image}
pricePerShard: 0.1
shards: [{ command: { argv: [/bin/sh, -c, ${JSON.stringify(script)}] }, outputs: [x] }]
`
  return (await town.run<{ job: string }>("buyer", ["job", "submit", await town.job(name, yaml)])).job
}

const stateOf = async (job: string) => (await town.run<JobStatus>("buyer", ["job", "status", job])).state
const status = () => town.run<AgentReport>("agent", ["status"])

test("an image that fails at once for one job after the other is declined; another image in the same slot goes on", {
  timeout: 150_000,
}, async () => {
  const agent = town.serve("agent")
  const first = await submit("first", BAD, "exit 3")
  await eventually(async () => (await stateOf(first)) === "failed")
  expect((await status()).serving?.breakers).toEqual([])
  await submit("second", BAD, "exit 3")
  const [open] = await eventually(async () => {
    const { serving } = await status()
    return serving?.breakers.length ? serving.breakers : null
  })
  expect(open).toMatchObject({ guards: "image", state: "open" })
  const declined = await submit("declined", BAD, "echo x > /shard/out/x")
  const done = await submit("done", GOOD, "echo x > /shard/out/x")
  await eventually(async () => (await stateOf(done)) === "done")
  expect(await stateOf(declined)).toBe("waiting")
  const { stdout } = await execa("grep", ["-c", "offer.declined", agent.log])
  expect(Number(stdout)).toBeGreaterThan(0)
  const shown = await execa(process.execPath, ["bin/run.js", "status"], {
    env: { ZG_HOME: town.home("agent") },
  })
  expect(shown.stdout).toMatch(
    /left out image sha256:[0-9a-f]+: too much failed on it; the next try is in \d+ min/,
  )
})
