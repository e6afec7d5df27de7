import { mkdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { CORPUS, TRAINER } from "../../scripts/setup/images.ts"
import { digestOf } from "../../src/protocol/digest.ts"
import type { JobStatus } from "../../src/protocol/job.ts"
import { containersOf, eventually, Town } from "./town.ts"

let town: Town
let agents: string[]

const JOB = `kind: train
name: tiny
image: ${TRAINER}
text: ${join(process.cwd(), CORPUS)}
sliceKiB: 64
heldOutKiB: 16
model: { layers: 1, width: 32, heads: 2, context: 32 }
batch: 4
warmUp: { steps: 8 }
rounds: 2
workers: 2
inner: { steps: 4 }
pricePerShard: 0.25
sample: { bytes: 80 }
`

beforeAll(async () => {
  town = await Town.found()
  await town.register("buyer")
  agents = [(await town.register("agent-1")).agent, (await town.register("agent-2")).agent]
  town.serve("agent-1")
  town.serve("agent-2")
}, 60_000)

afterAll(() => town.close(), 60_000)

async function train(): Promise<JobStatus> {
  const { job } = await town.run<{ job: string }>("buyer", ["job", "submit", await town.job("tiny", JOB)])
  return eventually(async () => {
    const status = await town.run<JobStatus>("buyer", ["job", "status", job])
    return (status.state === "done" || status.state === "failed") && status
  }, 240_000)
}

test("two agents train a model, every proof verifies, and every credit is accounted for", {
  timeout: 400_000,
}, async () => {
  const job = await train()
  expect(job).toMatchObject({ state: "done", reason: null })
  expect(job.shards.every(({ state, proof }) => state === "settled" && proof !== null)).toBe(true)
  expect(job.losses.map(({ label }) => label)).toEqual(["untrained", "warm-up", "round-1", "round-2"])
  const [untrained, ...trained] = job.losses.map(({ loss }) => loss)
  expect(untrained).toBeCloseTo(Math.log(256), 0)
  expect(trained.at(-1)).toBeLessThan(untrained ?? 0)

  const folder = town.home("trained")
  await mkdir(folder)
  const { files } = await town.run<{ files: { path: string; digest: string }[] }>("buyer", [
    "job",
    "fetch",
    job.id,
    "--out",
    folder,
  ])
  for (const { path, digest } of files) expect(digestOf(await readFile(path))).toBe(digest)

  const paid = []
  for (const name of ["agent-1", "agent-2"]) {
    const { proofs } = await town.run<{ proofs: { paid: number; settled: boolean }[] }>(name, [
      "proof",
      "verify",
      "--all",
    ])
    expect(proofs.every(({ settled }) => settled)).toBe(true)
    const { earned } = await town.run<{ earned: number }>(name, ["status"])
    expect(earned).toBe(proofs.reduce((sum, proof) => sum + proof.paid, 0))
    paid.push(...proofs)
  }
  expect(paid).toHaveLength(job.shardsTotal)
  expect(job.spent).toBe(job.shardsTotal * 250_000)

  for (const agent of agents) await eventually(async () => (await containersOf(agent)).length === 0)

  const again = await train()
  const digests = ({ results }: JobStatus) =>
    Object.fromEntries(results.map(({ name, digest }) => [name, digest]))
  expect(digests(again)).toEqual(digests(job))
})
