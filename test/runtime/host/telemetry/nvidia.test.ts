import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import type { DetectedGpu } from "../../../../src/runtime/host/gpu.ts"
import { fieldsLess } from "../../../../src/runtime/host/telemetry/nvidia-rows.ts"
import { startTelemetry, type Telemetry } from "../../../../src/runtime/host/telemetry/telemetry.ts"
import { installNvidiaSmi, type Play } from "../../../stand-in/nvidia-smi.ts"
import { card, nvidia, rowOf, until, uuidOf } from "./sample-cards.ts"

const PERIOD_MS = 100
const STEADY: Play = { stdout: rowOf(1) + rowOf(2, 50), rounds: 10_000 }
const BOTH = [nvidia(1), nvidia(2)]

let folder: string
let stop: AbortController
let running: Telemetry[]
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "zg-telemetry-test-"))
  stop = new AbortController()
  running = []
})
afterEach(async () => {
  stop.abort()
  await Promise.all(running.map(one => one.ended))
  await rm(folder, { recursive: true })
})

async function start(gpus: DetectedGpu[], plays: Record<string, Play>, periodMs = PERIOD_MS) {
  const program = await installNvidiaSmi(folder, plays)
  return startWith(gpus, program, periodMs)
}

function startWith(gpus: DetectedGpu[], program: string, periodMs = PERIOD_MS): Telemetry {
  const telemetry = startTelemetry({ gpus, sysfs: folder, periodMs, program }, stop.signal)
  running.push(telemetry)
  return telemetry
}

const lines = (name: string) =>
  existsSync(join(folder, name)) ? readFileSync(join(folder, name), "utf8").trim().split("\n") : []

test("one child tells of all cards, again and again", async () => {
  const telemetry = await start(BOTH, { "--query-gpu": STEADY })
  const first = await until(() => telemetry.latest(uuidOf(2)))
  const later = await until(() => telemetry.latest(uuidOf(2))?.at !== first.at && telemetry.latest(uuidOf(2)))
  expect(later).toMatchObject({ powerDrawW: 50, temperatureC: 61, vramUsedMiB: 4096, fanPct: null })
  expect(later.at).toBeGreaterThan(first.at)
  expect(telemetry.latest(uuidOf(1))).toMatchObject({ powerDrawW: 100, powerLimitW: 320, coreMhz: 1875 })
  expect(telemetry.latest("GPU-of-nobody")).toBeNull()
  expect(lines("calls")).toEqual([
    `--query-gpu=${fieldsLess(new Set()).join(",")} --format=csv,noheader,nounits -lms 100`,
  ])
})

test("whole seconds are asked for with -l", async () => {
  const telemetry = await start(BOTH, { "--query-gpu": STEADY }, 1000)
  await until(() => telemetry.latest(uuidOf(1)))
  expect(lines("calls")[0]).toMatch(/ -l 1$/)
})

test("energy and memory are metered, and end with what was metered", async () => {
  const telemetry = await start(BOTH, { "--query-gpu": STEADY })
  await until(() => telemetry.latest(uuidOf(2)))
  using meter = telemetry.meter([uuidOf(2)])
  const startedAt = Date.now()
  // A machine that is busy may leave gaps: some span from here on is covered well enough to be told.
  const told = await until(() => {
    const finishedAt = Date.now()
    const { energyJoules, peakVramBytes } = meter.read(startedAt, finishedAt)
    const isTold = finishedAt - startedAt > 10 * PERIOD_MS && energyJoules !== null
    return isTold && { finishedAt, energyJoules, peakVramBytes }
  })
  const { finishedAt, energyJoules, peakVramBytes } = told
  const lengthMs = finishedAt - startedAt
  expect(peakVramBytes).toBe(4096 * 2 ** 20)
  expect(energyJoules).toBeGreaterThanOrEqual((50 * 0.95 * (lengthMs - 2 * PERIOD_MS - 1)) / 1000)
  expect(energyJoules).toBeLessThanOrEqual((50 * (lengthMs + 1)) / 1000)
  expect(meter.read(startedAt - 60_000, finishedAt).energyJoules).toBeNull()
  expect(telemetry.meter(["GPU-of-nobody"]).read(startedAt, finishedAt)).toEqual({
    energyJoules: null,
    peakVramBytes: null,
  })
  expect(telemetry.meter([]).read(startedAt, finishedAt)).toEqual({ energyJoules: null, peakVramBytes: null })
  const both = telemetry.meter([uuidOf(1), uuidOf(2)])
  await until(() => both.read(startedAt, Date.now()).peakVramBytes === 2 * 4096 * 2 ** 20)
  both.close()
  expect(telemetry.cards().map(({ energyJoules: total }) => (total ?? 0) > 0)).toEqual([true, true])
})

test("a card without power has a peak but no energy", async () => {
  const play = { stdout: rowOf(1, "[Not Supported]"), rounds: 10_000 }
  const telemetry = await start([nvidia(1)], { "--query-gpu": play })
  await until(() => telemetry.latest(uuidOf(1)))
  const meter = telemetry.meter([uuidOf(1)])
  const startedAt = Date.now()
  await until(() => meter.read(startedAt, Date.now()).peakVramBytes !== null)
  expect(meter.read(startedAt, Date.now()).energyJoules).toBeNull()
  expect(telemetry.cards()[0]?.energyJoules).toBeNull()
})

test("a child that dies half-way through a line is followed by another, and the half line is no sample", async () => {
  const half = rowOf(2, 999).slice(0, -4)
  const telemetry = await start(BOTH, {
    "--query-gpu": { ...STEADY, rounds: 3, lastWords: half, crashes: true },
  })
  await until(() => lines("calls").length >= 2 && telemetry.latest(uuidOf(2)))
  expect(telemetry.latest(uuidOf(2))?.powerDrawW).toBe(50)
  const meter = telemetry.meter([uuidOf(2)])
  const startedAt = Date.now()
  await until(() => lines("calls").length >= 3 && telemetry.latest(uuidOf(2)))
  const joules = meter.read(startedAt, Date.now()).energyJoules ?? 0
  expect(joules).toBeLessThanOrEqual((50.01 * (Date.now() - startedAt)) / 1000)
})

test("a child that hangs is killed and followed by another; meanwhile the cards show a gap", async () => {
  const telemetry = await start(BOTH, { "--query-gpu": { ...STEADY, rounds: 2, hangs: true } })
  await until(() => telemetry.latest(uuidOf(1)))
  await until(() => telemetry.latest(uuidOf(1)) === null)
  await until(() => lines("pids").length === 2)
  await until(() => telemetry.latest(uuidOf(1)))
  expect(isRunning(Number(lines("pids")[0]))).toBe(false)
  expect(telemetry.cards()[0]?.gaps).toBeGreaterThan(5)
})

test("a field that the driver does not know is left out", async () => {
  const asked = (...refused: string[]) =>
    `--query-gpu=${fieldsLess(new Set(refused)).join(",")} --format=csv,noheader,nounits -lms 100`
  const refusal = (field: string) => ({
    stdout: `Field "${field}" is not a valid field to query.\n\n`,
    exitCode: 2,
  })
  const noFan = rowOf(1).replace(" [N/A],", "")
  const telemetry = await start([nvidia(1)], {
    [asked()]: refusal("fan.speed"),
    [asked("fan.speed")]: refusal("clocks.sm"),
    [asked("fan.speed", "clocks.sm")]: { stdout: noFan, rounds: 10_000 },
  })
  const sample = await until(() => telemetry.latest(uuidOf(1)))
  expect(sample).toMatchObject({ fanPct: null, coreMhz: 1875, powerDrawW: 100 })
  expect(lines("calls")).toHaveLength(3)
})

test("why a card is throttled is asked for under the name that older drivers know", async () => {
  const refused = "clocks_event_reasons.active"
  const asked = (...less: string[]) =>
    `--query-gpu=${fieldsLess(new Set(less)).join(",")} --format=csv,noheader,nounits -lms 100`
  const telemetry = await start([nvidia(1)], {
    [asked()]: { stdout: `Field "${refused}" is not a valid field to query.\n\n`, exitCode: 2 },
    [asked(refused)]: { stdout: rowOf(1, 100, { throttle: "0x0000000000000088" }), rounds: 10_000 },
  })
  expect(await until(() => telemetry.latest(uuidOf(1)))).toMatchObject({ throttle: ["power-brake"] })
})

test("a lost card among good ones shows a gap, and error lines cost nothing but themselves", async () => {
  const lost = rowOf(2).replaceAll(/(?<=, )[^,:]+(?=,)/g, "[GPU is lost]")
  const stdout = `Unable to determine the device handle for GPU1: 0000:02:00.0: GPU is lost.\n${lost}\n${rowOf(1)}`
  const telemetry = await start([...BOTH, nvidia(3)], {
    "--query-gpu": { stdout, stderr: "NVRM: Xid\n", rounds: 10_000 },
  })
  await until(() => telemetry.latest(uuidOf(1)))
  await until(() => (telemetry.cards()[1]?.gaps ?? 0) > 2)
  expect(telemetry.latest(uuidOf(1))).toMatchObject({ powerDrawW: 100 })
  expect([telemetry.latest(uuidOf(2)), telemetry.latest(uuidOf(3))]).toEqual([null, null])
})

test("slices and cards without a place do no harm", async () => {
  const slice = {
    uuid: "MIG-1",
    gpuInstance: 1,
    computeInstance: 0,
    profile: "1g.10gb",
    vramTotalMiB: 9856,
    vramUsedMiB: 1,
  }
  const gpus = [
    nvidia(1, { mig: [slice] }),
    card({ index: 1, vendor: "nvidia" }),
    card({ index: 2, vendor: "intel" }),
  ]
  const telemetry = await start(gpus, { "--query-gpu": STEADY })
  await until(() => telemetry.latest(uuidOf(1)))
  const told = telemetry
    .cards()
    .map(({ identity, sample, gaps }) => [identity, sample !== null, gaps !== null])
  expect(told).toEqual([
    [uuidOf(1), true, true],
    ["index:1", false, false],
    ["index:2", false, false],
  ])
})

test("cards are found again by what a proof names", async () => {
  const twin = { uuid: "GPU-same5678-1111", pciAddress: "0000:07:00.0" }
  const gpus = [
    nvidia(1),
    nvidia(2, { uuid: null }),
    nvidia(3, twin),
    nvidia(4, { ...twin, pciAddress: null }),
  ]
  const telemetry = startWith(gpus, join(folder, "no-nvidia-smi"))
  expect(telemetry.identify({ uuid: uuidOf(1).toUpperCase(), pciAddress: null })).toBe(uuidOf(1))
  expect(telemetry.identify({ uuid: "GPU-unheard", pciAddress: "0000:02:00.0" })).toBe("pci:0000:02:00.0")
  expect(telemetry.identify(twin)).toBeNull()
  expect(telemetry.identify({ uuid: null, pciAddress: null })).toBeNull()
})

test("without nvidia-smi the cards show gaps, and nothing fails", async () => {
  const telemetry = startWith(BOTH, join(folder, "no-nvidia-smi"))
  await until(() => (telemetry.cards()[0]?.gaps ?? 0) > 3)
  expect(telemetry.latest(uuidOf(1))).toBeNull()
})

test("without an NVIDIA card no nvidia-smi is called", async () => {
  const telemetry = await start([card({ vendor: "intel", pciAddress: "0000:00:02.0" })], {
    "--query-gpu": STEADY,
  })
  const { ended } = telemetry
  await ended
  expect(lines("calls")).toEqual([])
})

test.each([
  ["works", STEADY],
  ["hangs", { stdout: rowOf(1), hangs: true }],
] as const)("after an abort no process is left of a child that %s", async (_, play) => {
  const telemetry = await start(BOTH, { "--query-gpu": play })
  await until(() => telemetry.latest(uuidOf(1)))
  const [pid] = lines("pids").map(Number)
  expect(isRunning(pid ?? 0)).toBe(true)
  const group = membersOf(pid ?? 0)
  expect(group).toContain(pid)
  stop.abort()
  await telemetry.ended
  expect(isRunning(pid ?? 0)).toBe(false)
  await until(() => membersOf(pid ?? 0).length === 0)
  expect(lines("calls")).toHaveLength(1)
})

test.each(["exits", "is asked to end"])(
  "an agent that %s without a word takes its child with it",
  async how => {
    const program = await installNvidiaSmi(folder, { "--query-gpu": STEADY })
    const source = new URL("../../../../src/runtime/host/telemetry/telemetry.ts", import.meta.url).href
    const options = JSON.stringify({ gpus: BOTH, sysfs: folder, periodMs: PERIOD_MS, program })
    const agent = spawn(process.execPath, [
      "--input-type=module",
      "-e",
      `const { startTelemetry } = await import(${JSON.stringify(source)})
    const telemetry = startTelemetry(${options}, new AbortController().signal)
    setInterval(() => telemetry.latest(${JSON.stringify(uuidOf(1))}) && console.log("sampled"), 20)
    process.stdin.on("data", () => process.exit(3))`,
    ])
    const ended = once(agent, "exit")
    await once(agent.stdout, "data")
    const pid = Number(lines("pids")[0])
    expect(isRunning(pid)).toBe(true)
    if (how === "exits") agent.stdin.write("\n")
    else agent.kill("SIGTERM")
    expect(await ended).toEqual(how === "exits" ? [3, null] : [null, "SIGTERM"])
    await until(() => membersOf(pid).length === 0)
  },
)

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** The live processes of a process group, from /proc/<pid>/stat (proc_pid_stat(5)). */
function membersOf(group: number): number[] {
  return readdirSync("/proc")
    .filter(name => /^\d+$/.test(name))
    .filter(name => {
      try {
        const [state, , itsGroup] =
          readFileSync(`/proc/${name}/stat`, "utf8").split(") ")[1]?.split(" ") ?? []
        return Number(itsGroup) === group && state !== "Z"
      } catch {
        return false
      }
    })
    .map(Number)
}
