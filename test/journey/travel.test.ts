import { mkdtempSync } from "node:fs"
import { readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { execa } from "execa"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type Program, start, stop, zgAgent } from "../../scripts/quickstart/programs.ts"
import type { JobStatus } from "../../src/protocol/job.ts"
import { Embedded } from "../contract/market.ts"
import { eventually, importShell } from "./town.ts"

const IMAGE = `zg-test/travel-${process.pid}:latest`
const STEPS = 60
const never = new AbortController().signal

/** Counts in its checkpoint; what it writes at its end tells where it began and depends on every step. */
const COUNTING = [
  "cd /shard/checkpoint",
  "n=0; x=7; [ -f at ] && read n x < at; from=$n",
  "trap 'echo \"$n $x\" > .at; mv .at at; exit 85' TERM",
  `while [ $n -lt ${STEPS} ]; do sleep 0.1; n=$((n+1)); x=$(((x*31+n)%1000003)); echo "{\\"step\\":$n,\\"steps\\":${STEPS}}"; done`,
  'echo "$x" > /shard/out/result; echo "$from" > /shard/out/from',
].join("; ")

let market: Embedded
let root: string
const programs: Program[] = []

beforeAll(async () => {
  await importShell(IMAGE)
  root = mkdtempSync(join(tmpdir(), "zg-travel-"))
  market = await Embedded.start({ leaseMs: 3000 })
  for (const name of ["buyer", "first", "second"]) await run(name, ["register", "--market", market.url])
}, 60_000)

afterAll(async () => {
  await Promise.all(programs.map(stop))
  await market.stop()
  await execa("docker", ["rmi", "--force", IMAGE], { reject: false })
  await rm(root, { recursive: true, force: true })
}, 60_000)

const run = <T>(name: string, args: string[]) => zgAgent<T>(join(root, name), args, never)

function serve(name: string): Program {
  const program = start(name, join(root, name), [
    ...["serve", "--engine=docker", "--gpus=none", "--cpu-slots=1", "--cpus=1", "--memory-mib=1024"],
  ])
  programs.push(program)
  return program
}

async function submit(checkpoints: "stay" | "travel"): Promise<string> {
  const command = `{ argv: [/bin/sh, -c, ${JSON.stringify(COUNTING)}] }`
  const path = join(root, `${checkpoints}.yaml`)
  await writeFile(
    path,
    `kind: batch
name: ${checkpoints}
image: ${IMAGE}
pricePerShard: 0.1
checkpoints: ${checkpoints}
shards: [{ command: ${command}, outputs: [result, from] }]
`,
  )
  return (await run<{ job: string }>("buyer", ["job", "submit", path])).job
}

const status = (job: string) => run<JobStatus>("buyer", ["job", "status", job])

async function resultOf(job: string): Promise<{ result: number; from: number }> {
  await eventually(async () => (await status(job)).state === "done")
  const into = join(root, job)
  await run("buyer", ["job", "fetch", job, "--out", into])
  const read = async (name: string) => Number(await readFile(join(into, `shard-0.${name}`), "utf8"))
  return { result: await read("result"), from: await read("from") }
}

function counted(): number {
  let x = 7
  for (let n = 1; n <= STEPS; n++) x = (x * 31 + n) % 1_000_003
  return x
}

test.for(["travel", "stay"] as const)(
  "a shard whose checkpoints %s is left by one agent and finished by another",
  { timeout: 120_000 },
  async checkpoints => {
    const first = serve("first")
    const job = await submit(checkpoints)
    await eventually(async () => ((await status(job)).shards[0]?.step ?? 0) > 5)
    await stop(first)
    const second = serve("second")
    const { result, from } = await resultOf(job)
    await stop(second)
    expect(result).toBe(counted())
    if (checkpoints === "travel") expect(from).toBeGreaterThan(5)
    else expect(from).toBe(0)
    await run("second", ["proof", "verify", "--all"])
    const back = serve("first")
    await eventually(async () => (await readFile(back.log, "utf8")).includes("shard.abandoned"))
    await stop(back)
    await rm(back.log)
  },
)
