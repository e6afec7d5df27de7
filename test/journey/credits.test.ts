import { execa } from "execa"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { JobStatus } from "../../src/protocol/job.ts"
import { eventually, importShell, Town } from "./town.ts"

const IMAGE = `zg-test/credits-${process.pid}:latest`

let town: Town
let owner: string
beforeAll(async () => {
  await importShell(IMAGE)
  town = await Town.found()
  await town.register("buyer")
  await town.register("agent")
  owner = (await town.register("owner")).agent
}, 90_000)

afterAll(async () => {
  await town.close()
  await execa("docker", ["rmi", "--force", IMAGE], { reject: false })
}, 60_000)

const SHARD = `[{ command: { argv: [/bin/sh, -c, "sleep 0.2; echo x > /shard/out/x"] }, outputs: [x] }]`

interface Account {
  granted: number
  own: number
  earned: number
  spent: number
  escrow: number
}

interface Earned {
  groups: { of: string }[]
  total: { shards: number; paid: number; slotSeconds: number; net: number | null }
}

async function submitted(by: string, terms: string, flags: string[] = []) {
  const yaml = `kind: batch\nname: t\nimage: ${IMAGE}\nlimits: { timeMs: 60000 }\n${terms}\nshards: ${SHARD}\n`
  const answer = await town.run<{ job: string; paidFrom: object }>(by, [
    ...["job", "submit", await town.job(`${by}-${flags.length}`, yaml)],
    ...flags,
  ])
  const done = await eventually(async () => {
    const status = await town.run<JobStatus>(by, ["job", "status", answer.job])
    return status.state === "done" ? status : null
  })
  return { ...answer, status: done }
}

const account = (name: string) => town.run<Account>(name, ["account"])

test("a host earns by the second, an owner of data by the shard, and both spend what they earned", {
  timeout: 150_000,
}, async () => {
  town.start("agent", [
    ...["serve", "--engine=docker", "--gpus=none", "--cpu-slots=1", "--cpus=1", "--memory-mib=2048"],
    ...["--ask", "0.001"],
  ])
  const royalties = `royalties: [{ to: "${owner}", share: 10, for: a text }]`
  const first = await submitted("buyer", `pricePerSecond: 0.002\n${royalties}`)
  expect(first.paidFrom).toEqual({ granted: 132_000, earned: 0 })
  const { spent, shards } = first.status
  expect(shards[0]?.cost).toBe(spent)
  expect(spent).toBeGreaterThan(0)
  expect(await account("buyer")).toMatchObject({ spent, escrow: 0, granted: 1_000_000_000 - spent })

  const earnings = await town.run<Earned>("agent", ["earnings", "--by", "gpu"])
  expect(earnings).toMatchObject({ groups: [{ of: "cpu" }], total: { shards: 1, net: null } })
  const { paid, slotSeconds } = earnings.total
  // 0.001 credits a second are 1000 micro-credits; the fee is 2 %.
  const charge = Math.ceil(Math.round(slotSeconds * 1000))
  expect(spent).toBe(charge + Math.floor(charge / 10))
  expect(paid).toBe(charge - Math.floor(charge * 0.02))
  expect(await account("agent")).toMatchObject({ own: paid, earned: paid })
  expect(await account("owner")).toMatchObject({ own: Math.floor(charge / 10) })

  // What that brought would not pay what the host asks, for as long as a shard may run.
  await town.stop("agent")
  town.serve("agent")
  const own = await submitted("owner", "pricePerShard: 0.000001", ["--pay-from", "self"])
  expect(own.paidFrom).toEqual({ granted: 0, earned: 1 })
  await town.run("agent", ["proof", "verify", "--all"])
  await town.run("agent", ["ledger", "verify"])
})
