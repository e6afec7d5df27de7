import { execFileSync } from "node:child_process"
import { rename, rm, writeFile } from "node:fs/promises"
import path from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { detectAmd } from "../../../../src/runtime/host/amd/detect.ts"
import { startTelemetry, type Telemetry } from "../../../../src/runtime/host/telemetry/telemetry.ts"
import { metricsV1_3 } from "../amd/sample-metrics.ts"
import { ID_FILES, NO_PROGRAMS, unpackRecorded } from "../drm/recorded-tree.ts"
import { until } from "./sample-cards.ts"

let stop: AbortController
let running: Telemetry[]
beforeEach(() => {
  stop = new AbortController()
  running = []
})
afterEach(async () => {
  stop.abort()
  await Promise.all(running.map(one => one.ended))
})

async function start(tree: string, change?: (folderOf: (n: number) => string) => Promise<void>) {
  const sysfs = await unpackRecorded(tree)
  const { gpus } = await detectAmd({ sysfs, signal: stop.signal, idFiles: ID_FILES, programs: NO_PROGRAMS })
  const folderOf = (n: number) => path.join(sysfs, `bus/pci/devices/${gpus[n]?.pciAddress}`)
  await change?.(folderOf)
  const telemetry = startTelemetry({ gpus, sysfs, periodMs: 50 }, stop.signal)
  running.push(telemetry)
  const identities = telemetry.cards().map(({ identity }) => identity)
  return { telemetry, gpus, identities, folderOf }
}

test.each([
  "hd-7970-radeon",
  "intel-and-rx-6600",
  "mi210",
  "r9-280x",
  "radeon-vii-and-mi50",
  "renoir",
  "rx-470-mining",
  "rx-570-rig",
  "rx-5700-xt",
  "rx-580",
  "rx-6800-xt",
  "rx-7900-xtx",
  "vega-64",
])("%s: a sample says what detection says", async tree => {
  const { telemetry, gpus, identities } = await start(tree)
  const told = gpus.map(gpu => ({
    temperatureC: gpu.temperatureC,
    utilizationPct: gpu.utilizationPct,
    vramUsedMiB: gpu.vramUsedMiB,
    powerDrawW: gpu.powerDrawW,
    powerLimitW: gpu.powerLimitW,
    fanPct: gpu.fanPct,
    coreMhz: gpu.clocksMhz.core,
    memoryMhz: gpu.clocksMhz.memory,
    throttle: null,
  }))
  for (const [n, expected] of told.entries()) {
    const isSilent = Object.values(expected).every(value => value === null)
    if (isSilent) await until(() => (telemetry.cards()[n]?.gaps ?? 0) > 2)
    else await until(() => telemetry.latest(identities[n] ?? ""))
    expect(telemetry.latest(identities[n] ?? "")).toEqual(
      isSilent ? null : { at: expect.any(Number), ...expected },
    )
  }
})

test("values that change are read anew", async () => {
  const { telemetry, identities, folderOf } = await start("rx-580")
  const [identity = ""] = identities
  await until(() => telemetry.latest(identity))
  await writeFile(`${folderOf(0)}/gpu_busy_percent`, "3\n")
  await writeFile(`${folderOf(0)}/mem_info_vram_used`, `${3 << 20}\n`)
  await until(() => telemetry.latest(identity)?.utilizationPct === 3)
  await until(() => telemetry.latest(identity)?.vramUsedMiB === 3)
  await writeFile(`${folderOf(0)}/gpu_busy_percent`, "255\n")
  await until(() => telemetry.latest(identity)?.utilizationPct === null)
  expect(telemetry.latest(identity)?.powerDrawW).toBe(98.145)
})

test("why a card is throttled is told by its metrics, again and again", async () => {
  const { telemetry, identities, folderOf } = await start("rx-6800-xt", folderOf =>
    writeFile(`${folderOf(0)}/gpu_metrics`, metricsV1_3(1n << 36n)),
  )
  const [identity = ""] = identities
  const sample = await until(() => telemetry.latest(identity))
  expect(sample).toMatchObject({ throttle: ["thermal"], temperatureC: expect.any(Number) })
  await writeFile(`${folderOf(0)}/gpu_metrics`, metricsV1_3(0n))
  await until(() => telemetry.latest(identity)?.throttle?.length === 0)
  await writeFile(`${folderOf(0)}/gpu_metrics`, "")
  await until(() => telemetry.latest(identity)?.throttle === null)
})

test("a card whose folder vanishes shows a gap, the others do not; when it comes back it is read again", async () => {
  const { telemetry, identities, folderOf } = await start("radeon-vii-and-mi50")
  const [first = "", second = ""] = identities
  await until(() => telemetry.latest(first) && telemetry.latest(second))
  const folder = execFileSync("realpath", [folderOf(0)], { encoding: "utf8" }).trim()
  await rename(folder, `${folder}.gone`)
  await until(() => telemetry.latest(first) === null)
  await until(() => telemetry.latest(second))
  await rename(`${folder}.gone`, folder)
  await until(() => telemetry.latest(first))
  expect(telemetry.cards()[0]?.gaps).toBeGreaterThanOrEqual(2)
})

test("a named pipe in an attribute's place is no value and holds nobody up", async () => {
  const { telemetry, identities } = await start("rx-570-rig", async folderOf => {
    const file = `${folderOf(0)}/gpu_busy_percent`
    await rm(file)
    execFileSync("mkfifo", [file])
  })
  const sample = await until(() => telemetry.latest(identities[0] ?? ""))
  expect(sample.utilizationPct).toBeNull()
  expect(sample.temperatureC).not.toBeNull()
  const { at } = await until(() => telemetry.latest(identities[1] ?? ""))
  await until(() => (telemetry.latest(identities[1] ?? "")?.at ?? 0) > at)
})
