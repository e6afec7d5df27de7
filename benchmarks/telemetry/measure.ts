/**
 * What the agent's own sampling costs, in percent of one core: eight NVIDIA cards through the tests' stand-in for nvidia-smi,
 * eight AMD cards through a recorded sysfs, and for comparison one call of that stand-in per card and second.
 *
 *   node benchmarks/telemetry/measure.ts [SECONDS]        30 if not told
 *
 * Exits 1 when either sampling takes more than 1 % of a core.
 */
import { readFileSync } from "node:fs"
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { type DetectedGpu, UNREPORTED } from "../../src/runtime/host/gpu.ts"
import { ask } from "../../src/runtime/host/nvidia/ask.ts"
import { fieldsLess } from "../../src/runtime/host/telemetry/nvidia-rows.ts"
import { startTelemetry } from "../../src/runtime/host/telemetry/telemetry.ts"
import { installNvidiaSmi } from "../../test/stand-in/nvidia-smi.ts"

const CARDS = 8
const GOAL_PCT = 1
/** Clock ticks of /proc/<pid>/stat in a second (sysconf(_SC_CLK_TCK) of every Linux that Node runs on). */
const TICKS_PER_S = 100

/** What an RX 6800 XT shows. */
const ATTRIBUTES = {
  gpu_busy_percent: "97",
  mem_info_vram_total: "17163091968",
  mem_info_vram_used: "9163091968",
  pp_dpm_sclk: "0: 500Mhz\n1: 2310Mhz *\n2: 2575Mhz",
  pp_dpm_mclk: "0: 96Mhz\n1: 456Mhz\n2: 673Mhz\n3: 1000Mhz *",
  "hwmon/name": "amdgpu",
  "hwmon/temp1_label": "edge",
  "hwmon/temp1_input": "61000",
  "hwmon/temp1_crit": "100000",
  "hwmon/temp2_label": "junction",
  "hwmon/temp2_input": "71000",
  "hwmon/power1_average": "187000000",
  "hwmon/power1_cap": "255000000",
  "hwmon/fan1_input": "1400",
  "hwmon/pwm1": "120",
  "hwmon/pwm1_max": "255",
  "hwmon/freq1_label": "sclk",
  "hwmon/freq1_input": "2310000000",
  "hwmon/freq2_label": "mclk",
  "hwmon/freq2_input": "1000000000",
}

const seconds = Number(process.argv[2] ?? 30)
const folder = await mkdtemp(path.join(tmpdir(), "zg-telemetry-benchmark-"))
try {
  const idle = await cost()
  const nvidia = await measureNvidia()
  const amd = await measureAmd()
  const calls = await measureCalls()
  console.log(`${seconds} s each, ${CARDS} cards at 1 s, percent of one core (this process alone):`)
  console.log(`  nothing                      ${percent(idle.ownPct)}`)
  console.log(
    `  NVIDIA, one child for all    ${percent(nvidia.ownPct)}   the stand-in itself ${percent(nvidia.childPct)}`,
  )
  console.log(`  AMD, sysfs                   ${percent(amd.ownPct)}`)
  console.log(
    `  NVIDIA, a call per card      ${percent(calls.ownPct)}   ${(calls.ownPct / nvidia.ownPct).toFixed(0)} times as much`,
  )
  console.log(`  samples: NVIDIA ${nvidia.samples}, AMD ${amd.samples}, of ${CARDS} cards`)
  process.exitCode = Math.max(nvidia.ownPct, amd.ownPct) > GOAL_PCT ? 1 : 0
} finally {
  await rm(folder, { recursive: true })
}

interface Cost {
  ownPct: number
}

/** Processor time of this process and all its threads over the seconds, after two to warm up. */
async function cost(): Promise<Cost> {
  await sleep(2000)
  const before = process.cpuUsage()
  const start = performance.now()
  await sleep(seconds * 1000)
  const { user, system } = process.cpuUsage(before)
  return { ownPct: (user + system) / 10 / (performance.now() - start) }
}

async function measureNvidia() {
  const stop = new AbortController()
  const stdout = Array.from({ length: CARDS }, (_, n) => rowOf(n)).join("")
  const program = await installNvidiaSmi(folder, { "--query-gpu": { stdout, rounds: 1_000_000 } })
  const gpus = Array.from({ length: CARDS }, (_, n) => card("nvidia", n, `0000:0${n}:00.0`))
  const telemetry = startTelemetry({ gpus, sysfs: folder, program }, stop.signal)
  const own = await cost()
  const [pid] = (await readFile(path.join(folder, "pids"), "utf8")).split("\n")
  const childPct = ticksOf(pid ?? "") / TICKS_PER_S / (seconds + 2)
  const samples = telemetry.cards().filter(({ sample }) => sample !== null).length
  stop.abort()
  await telemetry.ended
  return { ...own, childPct: childPct * 100, samples }
}

async function measureAmd() {
  const stop = new AbortController()
  const sysfs = await rigOf(CARDS)
  const gpus = Array.from({ length: CARDS }, (_, n) => card("amd", n, `0000:0${n}:00.0`))
  const telemetry = startTelemetry({ gpus, sysfs }, stop.signal)
  const own = await cost()
  const samples = telemetry.cards().filter(({ sample }) => sample !== null).length
  stop.abort()
  await telemetry.ended
  return { ...own, samples }
}

async function measureCalls(): Promise<Cost> {
  const stop = new AbortController()
  const program = await installNvidiaSmi(folder, { "--query-gpu": { stdout: rowOf(0) } })
  const args = [`--query-gpu=${fieldsLess(new Set()).join(",")}`, "--format=csv,noheader,nounits"]
  const call = () => ask(args, { signal: stop.signal, program, timeoutMs: 10_000 })
  const timer = setInterval(() => {
    Promise.all(Array.from({ length: CARDS }, call)).catch(() => {})
  }, 1000)
  const own = await cost()
  clearInterval(timer)
  stop.abort()
  return own
}

function card(vendor: DetectedGpu["vendor"], index: number, pciAddress: string): DetectedGpu {
  const state = { backends: [], health: "ok", offerable: true, reasons: [] } as const
  return { ...UNREPORTED, ...state, backends: [], reasons: [], index, vendor, pciAddress }
}

function rowOf(n: number): string {
  return `GPU-1234567${n}-aaaa-bbbb-cccc-0123456789ab, 61, 97, 4096, 187.32, 320.00, 55, 1875, 9501, 00000000:0${n}:00.0\n`
}

/** Processor time of a process and the children that it has waited for, in ticks (proc_pid_stat(5)). */
function ticksOf(pid: string): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? []
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
}

/** A sysfs of so many cards of that kind. */
async function rigOf(count: number): Promise<string> {
  const root = path.join(folder, "sysfs")
  await mkdir(path.join(root, "bus/pci/devices"), { recursive: true })
  for (let n = 0; n < count; n++) {
    const device = path.join(root, `devices/0000:0${n}:00.0`)
    await mkdir(`${device}/hwmon/hwmon${n}`, { recursive: true })
    for (const [name, text] of Object.entries(ATTRIBUTES)) {
      await writeFile(path.join(device, name.replace("hwmon/", `hwmon/hwmon${n}/`)), `${text}\n`)
    }
    await symlink(`../../../devices/0000:0${n}:00.0`, path.join(root, `bus/pci/devices/0000:0${n}:00.0`))
  }
  return root
}

function percent(value: number): string {
  return `${value.toFixed(2)} %`.padStart(8)
}
