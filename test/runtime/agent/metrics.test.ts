import { execFileSync } from "node:child_process"
import { request } from "node:http"
import os from "node:os"
import { pino } from "pino"
import { afterEach, beforeEach, expect, test } from "vitest"
import { Fault } from "../../../src/protocol/fault.ts"
import type { MetricsReport } from "../../../src/runtime/agent/metrics/report.ts"
import { metricsText } from "../../../src/runtime/agent/metrics/text.ts"
import { openMetrics } from "../../../src/runtime/agent/metrics.ts"
import { UNREAD } from "../../../src/runtime/host/telemetry/sample.ts"
import type { CardReport } from "../../../src/runtime/host/telemetry/telemetry.ts"
import { card, nvidia } from "../host/telemetry/sample-cards.ts"
import { type Metric, parseMetrics } from "./metrics-text.ts"

const log = pino({ level: "silent" })
const NAME = 'GeForce "RTX"\\3080\nTi'
const WHOLE: CardReport = {
  identity: "GPU-12345671-aaaa-bbbb-cccc-0123456789ab",
  gpu: nvidia(1, { name: NAME, driverVersion: "570.1" }),
  sample: {
    at: 1,
    temperatureC: 61,
    utilizationPct: 97,
    vramUsedMiB: 4096,
    powerDrawW: 310.5,
    powerLimitW: 320,
    fanPct: 70,
    coreMhz: 1875,
    memoryMhz: 9501,
    throttle: ["power"],
  },
  energyJoules: 12.5,
  gaps: 3,
}
const IN_A_GAP: CardReport = {
  identity: "pci:0000:02:00.0",
  gpu: nvidia(2, { index: 1, uuid: null, vramTotalMiB: null, health: "lost" }),
  sample: null,
  energyJoules: null,
  gaps: 0,
}
const AMD: CardReport = {
  identity: "pci:0000:03:00.0",
  gpu: card({ index: 2, vendor: "amd", name: "RX 580", pciAddress: "0000:03:00.0", health: "degraded" }),
  sample: { ...UNREAD, at: 1, utilizationPct: 0, powerDrawW: 0.5 },
  energyJoules: 0,
  gaps: null,
}
const REPORT: MetricsReport = {
  version: "1.2.3",
  agent: {
    connected: true,
    slots: [
      { id: "a", device: "cuda", cpus: 1, memoryMiB: 1, vramMiB: 1, gpus: [], shard: null },
      { id: "b", device: "cuda", cpus: 1, memoryMiB: 1, vramMiB: 1, gpus: [], shard: null },
    ],
    settled: 5,
    abandoned: 2,
    earned: 1_250_000,
  },
  cards: [WHOLE, IN_A_GAP, AMD],
}

let stop: AbortController
beforeEach(() => {
  stop = new AbortController()
})
afterEach(() => stop.abort())

const told = async (report: MetricsReport, dcgm = false) =>
  parseMetrics((await metricsText(report, dcgm)).text)
const of = (metrics: Map<string, Metric>, name: string, id: string) =>
  metrics
    .get(name)
    ?.samples.filter(({ labels }) => labels.hw_id === id)
    .map(({ value }) => value)

test("a card's readings, in OpenTelemetry's names and base units", async () => {
  const metrics = await told(REPORT)
  const values = Object.fromEntries(
    [...metrics.keys()].map(name => [name, of(metrics, name, WHOLE.identity)]),
  )
  expect(values).toMatchObject({
    hw_gpu_utilization_ratio: [0.97],
    hw_gpu_memory_usage_bytes: [4096 * 2 ** 20],
    hw_gpu_memory_limit_bytes: [10_240 * 2 ** 20],
    hw_temperature_celsius: [61],
    hw_power_watts: [310.5],
    hw_fan_speed_ratio: [0.7],
    hw_energy_joules_total: [12.5],
    hw_status: [1, 0, 0],
    zg_gpu_power_limit_watts: [320],
    zg_gpu_clock_hertz: [1875e6, 9501e6],
    zg_gpu_throttled: [0, 1, 0, 0, 0, 0],
    zg_telemetry_gaps_total: [3],
  })
  expect(metrics.get("hw_power_watts")?.samples[0]?.labels).toEqual({
    hw_id: WHOLE.identity,
    hw_type: "gpu",
    hw_name: "gpu0",
    hw_vendor: "NVIDIA",
    hw_model: NAME,
    hw_driver_version: "570.1",
  })
  for (const [name, { type }] of metrics)
    expect([name, type]).toEqual([name, name.endsWith("_total") ? "counter" : "gauge"])
})

test("what a card does not report, and a gap, are absent and not 0", async () => {
  const metrics = await told(REPORT)
  const present = (id: string) => [...metrics.keys()].filter(name => of(metrics, name, id)?.length).sort()
  expect(present(IN_A_GAP.identity)).toEqual(["hw_status", "zg_telemetry_gaps_total"])
  expect(present(AMD.identity)).toEqual([
    "hw_energy_joules_total",
    "hw_gpu_utilization_ratio",
    "hw_power_watts",
    "hw_status",
  ])
  expect(of(metrics, "hw_gpu_utilization_ratio", AMD.identity)).toEqual([0])
  const states = metrics.get("hw_status")?.samples.filter(({ value }) => value === 1)
  expect(states?.map(({ labels }) => labels.hw_state)).toEqual(["ok", "failed", "degraded"])
})

test("the agent's own", async () => {
  const metrics = await told({ ...REPORT, cards: [] })
  const flat = [...metrics].flatMap(([name, { samples }]) =>
    samples.map(({ labels, value }) => [name, labels, value]),
  )
  expect(flat).toEqual([
    ["zg_agent_info", { version: "1.2.3" }, 1],
    ["zg_agent_connected", {}, 1],
    ["zg_slots", { state: "free" }, 2],
    ["zg_slots", { state: "busy" }, 0],
    ["zg_shards_ended_total", { end: "settled" }, 5],
    ["zg_shards_ended_total", { end: "abandoned" }, 2],
    ["zg_credits_earned_total", {}, 1.25],
  ])
})

test("dcgm-exporter's names and units, of NVIDIA's cards alone and only when asked for", async () => {
  const without = await told(REPORT)
  expect([...without.keys()].filter(name => name.startsWith("DCGM"))).toEqual([])
  const metrics = await told(REPORT, true)
  const values = [...metrics].filter(([name]) => name.startsWith("DCGM"))
  expect(values.map(([name, { samples }]) => [name, ...samples.map(({ value }) => value)])).toEqual([
    ["DCGM_FI_DEV_GPU_UTIL", 97],
    ["DCGM_FI_DEV_GPU_TEMP", 61],
    ["DCGM_FI_DEV_POWER_USAGE", 310.5],
    ["DCGM_FI_DEV_SM_CLOCK", 1875],
    ["DCGM_FI_DEV_MEM_CLOCK", 9501],
    ["DCGM_FI_DEV_FB_USED", 4096],
    ["DCGM_FI_DEV_FB_FREE", 6144],
    ["DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", 12_500],
  ])
  expect(metrics.get("DCGM_FI_DEV_GPU_UTIL")?.samples[0]?.labels).toEqual({
    gpu: "0",
    UUID: WHOLE.gpu.uuid,
    device: "nvidia0",
    modelName: NAME,
    Hostname: os.hostname(),
  })
})

const get = (url: string, method = "GET", host?: string) => {
  const { promise, resolve, reject } = Promise.withResolvers<{
    status?: number
    type?: string
    text: string
  }>()
  const headers = host === undefined ? {} : { host }
  request(url, { method, headers }, async response => {
    let text = ""
    for await (const piece of response.setEncoding("utf8")) text += piece
    resolve({ status: response.statusCode ?? 0, type: response.headers["content-type"] ?? "", text })
  })
    .on("error", reject)
    .end()
  return promise
}

test("GET /metrics is answered over HTTP, whatever the Host, and collected anew each time", async () => {
  let settled = 5
  const collect = () => ({ ...REPORT, agent: { ...REPORT.agent, settled: settled++ } })
  const { url } = await openMetrics({ port: 0, dcgm: true, collect, log }, stop.signal)
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/metrics$/)
  const [first, second] = [await get(url), await get(`${url}?x=1`, "GET", "elsewhere.example")]
  expect([first.status, first.type]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"])
  const ended = (text: string) => parseMetrics(text).get("zg_shards_ended_total")?.samples[0]?.value
  expect([ended(first.text), ended(second.text)]).toEqual([5, 6])
  expect(parseMetrics(first.text).has("DCGM_FI_DEV_GPU_TEMP")).toBe(true)
  expect((await get(url, "POST")).status).toBe(405)
  expect((await get(new URL("/", url).href)).status).toBe(404)
})

test("a taken port is a fault with a hint; an abort gives the port back", async () => {
  const collect = () => REPORT
  const { url, close } = await openMetrics({ port: 0, collect, log }, stop.signal)
  const port = Number(new URL(url).port)
  const refused = await openMetrics({ port, collect, log }, stop.signal).catch((error: unknown) => error)
  expect(refused).toBeInstanceOf(Fault)
  expect(refused).toMatchObject({
    code: "port-in-use",
    facts: { host: "127.0.0.1", port, code: "EADDRINUSE" },
  })
  const nowhere = await openMetrics({ host: "192.0.2.1", port: 0, collect, log }, stop.signal).catch(
    error => error,
  )
  expect(nowhere).toMatchObject({ code: "address-unusable" })
  stop.abort()
  await close()
  const again = await openMetrics({ port, collect, log }, new AbortController().signal)
  await again.close()
  await again.close()
  await expect(get(again.url)).rejects.toMatchObject({ code: "ECONNREFUSED" })
})

test("a bug in what is collected closes that request and no other", async () => {
  let broken = true
  const collect = () => {
    if (broken) throw new Error("bug")
    return REPORT
  }
  const { url } = await openMetrics({ port: 0, collect, log }, stop.signal)
  await expect(get(url)).rejects.toMatchObject({ code: "ECONNRESET" })
  broken = false
  expect((await get(url)).status).toBe(200)
})

test("an agent that opens no metrics does not load prom-client", () => {
  const program = `
    await import(${JSON.stringify(new URL("../../../src/runtime/agent/metrics.ts", import.meta.url).href)})
    const { createRequire } = await import("node:module")
    const loaded = Object.keys(createRequire("/").cache).filter(file => file.includes("prom-client"))
    console.log(loaded.length)
  `
  const loaded = (more: string) =>
    Number(
      execFileSync(
        process.execPath,
        ["--input-type=module", "-e", program.replace("const loaded", `${more}\nconst loaded`)],
        {
          encoding: "utf8",
          cwd: import.meta.dirname,
        },
      ),
    )
  expect(loaded("")).toBe(0)
  expect(loaded('await import("prom-client")')).toBeGreaterThan(0)
})
