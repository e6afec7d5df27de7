import { existsSync } from "node:fs"
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { execa } from "execa"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { JobStatus } from "../../src/protocol/job.ts"
import type { AgentReport } from "../../src/runtime/agent/report.ts"
import type { ModeReport } from "../../src/runtime/agent/status.ts"
import { containersOf, eventually, importShell, Town } from "./town.ts"

const IMAGE = `zg-test/pause-${process.pid}:latest`
const STEPS = 25
/** For what has to be asked while it runs. */
const MANY_STEPS = 80

/** Counts in its checkpoint and writes down each number once: with a checkpoint lost or a step done twice the result is another. */
const counting = (steps: number, suspendSeconds: number) =>
  [
    "c=/shard/checkpoint",
    "n=0; [ -f $c/n ] && n=$(cat $c/n) && cp $c/list /tmp/list",
    `trap 'sleep ${suspendSeconds}; cp /tmp/list $c/list; echo $n > $c/n; exit 85' TERM`,
    `while [ $n -lt ${steps} ]; do n=$((n+1)); echo $n >> /tmp/list; echo "{\\"step\\":$n,\\"steps\\":${steps}}"; sleep 0.15; done`,
    "cp /tmp/list /shard/out/list.txt",
  ].join("; ")
const counted = (steps: number) => `${Array.from({ length: steps }, (_, index) => index + 1).join("\n")}\n`
const COUNTED = counted(STEPS)

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

const report = () => town.run<AgentReport>("agent", ["status"])
const command = (verb: "pause" | "resume" | "drain", ...flags: string[]) =>
  town.run<ModeReport & { ended?: boolean }>("agent", [verb, ...flags])

async function submit(name: string, { steps = STEPS, suspendSeconds = 0 } = {}): Promise<string> {
  const yaml = `kind: batch
name: ${name}
image: ${IMAGE}
pricePerShard: 0.1
shards: [{ command: { argv: [/bin/sh, -c, ${JSON.stringify(counting(steps, suspendSeconds))}] }, outputs: [list.txt] }]
`
  return (await town.run<{ job: string }>("buyer", ["job", "submit", await town.job(name, yaml)])).job
}

/** Returns when the job's shard has done a few steps. */
function untilCounting(job: string, from = 3): Promise<unknown> {
  return eventually(async () => {
    const { serving } = await report()
    const shard = serving?.slots[0]?.shard
    return shard?.job === job && (shard.progress?.step ?? 0) >= from
  })
}

async function resultOf(job: string): Promise<string> {
  await eventually(async () => (await town.run<JobStatus>("buyer", ["job", "status", job])).state === "done")
  const into = join(town.root, `out-${job}`)
  const { files } = await town.run<{ files: { path: string }[] }>("buyer", [
    "job",
    "fetch",
    job,
    "--out",
    into,
  ])
  return readFile(files[0]?.path ?? "", "utf8")
}

test("no agent serves: each command says so, and how to start it", { timeout: 60_000 }, async () => {
  for (const verb of ["pause", "resume", "drain"] as const)
    await expect(command(verb)).rejects.toMatchObject({ code: "not-serving", hint: /zg-agent serve/ })
})

test("paused in the middle, also over a kill and a restart, a shard goes on from its checkpoint to the same result", {
  timeout: 150_000,
}, async () => {
  town.serve("agent")
  const job = await submit("paused")
  await untilCounting(job)
  const paused = await command("pause")
  expect(paused).toMatchObject({ mode: { mode: "paused" }, changed: true, unstopped: 0 })
  expect(paused.shards).toMatchObject([{ job, suspended: true }])
  expect(await containersOf(agent)).toEqual([])
  const { since } = paused.mode as { since: string }
  expect(await command("pause")).toMatchObject({ mode: { since }, changed: false })
  // What is offered meanwhile is not taken.
  const other = await submit("other")
  expect((await report()).serving).toMatchObject({
    mode: { mode: "paused", since },
    slots: [{ shard: { job } }],
  })
  await expect(
    town.run("agent", ["serve", "--engine=docker", "--gpus=none", "--cpu-slots=1"]),
  ).rejects.toMatchObject({
    code: "already-serving",
  })
  await town.kill("agent")
  expect(await report()).toMatchObject({ serving: null, pausedSince: since })
  town.serve("agent")
  await eventually(async () => (await report()).serving?.slots[0]?.shard?.suspended)
  expect(await containersOf(agent)).toEqual([])
  expect(await command("resume")).toMatchObject({ mode: { mode: "serving" }, changed: true })
  expect(await command("resume")).toMatchObject({ changed: false })
  expect(await resultOf(job)).toBe(COUNTED)
  expect(await resultOf(other)).toBe(COUNTED)
})

test("paused for too long, a shard is given up with a code of its own, and another agent may do it", {
  timeout: 120_000,
}, async () => {
  const job = await submit("long")
  await untilCounting(job)
  await command("pause")
  await town.stop("agent")
  const hoursAgo = new Date(Date.now() - 2 * 3_600_000).toISOString()
  await writeFile(join(town.home("agent"), "paused"), `${hoursAgo}\n`)
  town.serve("agent")
  const [given] = await eventually(async () => {
    const { lately } = await report()
    return lately.some(shard => shard.job === job) && lately
  })
  expect(given).toMatchObject({ job, code: "shard-paused-too-long" })
  expect((await report()).serving).toMatchObject({ mode: { mode: "paused", since: hoursAgo } })
  await command("resume")
  expect(existsSync(join(town.home("agent"), "paused"))).toBe(false)
  expect(await resultOf(job)).toBe(COUNTED)
})

test("drained, the agent finishes what is on the road, takes nothing more and ends with 0", {
  timeout: 120_000,
}, async () => {
  await town.stop("agent")
  const program = town.serve("agent")
  const job = await submit("drained", { steps: MANY_STEPS })
  await untilCounting(job)
  expect(await command("drain")).toMatchObject({
    mode: { mode: "draining" },
    changed: true,
    shards: [{ job }],
  })
  const late = await submit("late")
  expect(await command("drain", "--wait")).toMatchObject({ changed: false, ended: true })
  expect((await program.process).exitCode).toBe(0)
  expect(await resultOf(job)).toBe(counted(MANY_STEPS))
  expect(await town.run<JobStatus>("buyer", ["job", "status", late])).toMatchObject({ state: "waiting" })
  await town.stop("agent")
  town.serve("agent")
  expect(await resultOf(late)).toBe(COUNTED)
})

test.each(["SIGTERM", "SIGINT"] as const)(
  "%s ends it with 0: the shard is suspended, and the next start goes on from its checkpoint",
  { timeout: 120_000 },
  async signal => {
    await town.stop("agent")
    const program = town.serve("agent")
    const job = await submit(signal.toLowerCase())
    await untilCounting(job)
    program.process.kill(signal)
    expect((await program.process).exitCode).toBe(0)
    expect(await containersOf(agent)).toEqual([])
    town.serve("agent")
    expect(await resultOf(job)).toBe(COUNTED)
  },
)

test("a second signal ends it at once, and the next start takes the container over", {
  timeout: 120_000,
}, async () => {
  await town.stop("agent")
  const program = town.serve("agent")
  const job = await submit("twice", { suspendSeconds: 5 })
  await untilCounting(job)
  program.process.kill("SIGTERM")
  await eventually(async () => (await readFile(program.log, "utf8")).includes("agent.stopping"))
  program.process.kill("SIGTERM")
  expect((await program.process).exitCode).toBe(143)
  town.serve("agent")
  expect(await resultOf(job)).toBe(COUNTED)
})
