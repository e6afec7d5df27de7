import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { DetectedGpu } from "../../../../src/runtime/host/gpu.ts"
import { detectNvidia } from "../../../../src/runtime/host/nvidia/detect.ts"
import { installNvidiaSmi, type Play } from "../../../stand-in/nvidia-smi.ts"
import { recorded } from "./recorded.ts"

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "zg-nvidia-test-"))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

async function detect(plays: Record<string, Play>, timeoutMs = 5000, signal = AbortSignal.timeout(20_000)) {
  await installNvidiaSmi(folder, plays)
  vi.stubEnv("PATH", `${folder}${delimiter}${process.env.PATH}`)
  const detection = await detectNvidia({ signal, timeoutMs })
  for (const gpu of detection.gpus) DetectedGpu.parse(gpu)
  return detection
}

async function calls(): Promise<string[]> {
  return (await readFile(join(folder, "calls"), "utf8")).trim().split("\n")
}

const RIG = recorded("rig-one-lost-515.xml")
const LOST_LINE =
  "Unable to determine the device handle for GPU3: 0000:04:00.0: GPU is lost.  Reboot the system to recover this GPU\n"
const LISTED = [0, 1, 2, 4, 5, 6, 7]
const uuidOf = (index: number) => `GPU-aaaaaaa${index}-1111-2222-3333-44444444444${index}`
const LISTING = LISTED.map(index => `GPU ${index}: NVIDIA GeForce RTX 3070 (UUID: ${uuidOf(index)})\n`).join(
  "",
)

/** What each card of the rig answers when it is asked alone. */
function alone(): Record<string, Play> {
  const head = RIG.slice(RIG.indexOf("<?xml"), RIG.indexOf("\t<gpu "))
  const records = [...RIG.matchAll(/\t<gpu [\s\S]*?<\/gpu>\n/g)].map(([record]) => record)
  const entries = LISTED.map((index, position): [string, Play] => [
    `-q -x -i ${uuidOf(index)}`,
    { stdout: `${head}${records[position]}</nvidia_smi_log>\n` },
  ])
  return Object.fromEntries(entries)
}

const states = (gpus: DetectedGpu[]) => gpus.map(({ index, health }) => `${index} ${health}`)
const ALL_BUT_3 = ["0 ok", "1 ok", "2 ok", "3 lost", "4 ok", "5 ok", "6 ok", "7 ok"]

test("without nvidia-smi there are no cards and no problem", async () => {
  const signal = AbortSignal.timeout(5000)
  const program = join(folder, "nvidia-smi")
  expect(await detectNvidia({ signal, program })).toEqual({ gpus: [], problems: [] })
})

test("a healthy machine takes two calls and tells the compute capability", async () => {
  const row = "0, GPU-0ad3f2b6-8df5-cb18-6b7c-6c7a10f1d7e9, 00000000:01:00.0, NVIDIA GeForce RTX 4090, 8.9\n"
  const plays = { "-q -x": { stdout: recorded("rtx-4090-535.xml") }, "--query-gpu": { stdout: row } }
  const { gpus, problems } = await detect(plays)
  expect(gpus).toMatchObject([{ index: 0, computeCapability: "8.9", powerDrawW: 387.12, offerable: true }])
  expect(problems).toEqual([])
  expect(await calls()).toHaveLength(2)
})

test("a driver that does not know the second query's fields costs nothing but the compute capability", async () => {
  const { gpus, problems } = await detect({ "-q -x": { stdout: recorded("gtx-1080-ti-384.xml") } })
  expect(gpus).toMatchObject([{ name: "GeForce GTX 1080 Ti", computeCapability: null, health: "ok" }])
  expect(problems).toEqual([])
})

test("MIG slices get their names from the listing", async () => {
  const plays = {
    "-q -x": { stdout: recorded("a100-mig-525.xml") },
    "-L": { stdout: recorded("a100-mig-525.list") },
  }
  const [gpu] = (await detect(plays)).gpus
  expect(gpu?.mig?.map(({ profile, uuid, gpuInstance }) => [profile, uuid, gpuInstance])).toEqual([
    ["3g.20gb", "MIG-6e5e0bd8-8c0f-5d0a-8f3b-5f0d7fd2d301", 1],
    ["2g.10gb", "MIG-0e1ce28f-5f09-5b3f-9ec2-4ab3d58a61e2", 5],
    ["1g.5gb", "MIG-d6a9a0c6-0a35-5b91-b9a1-7f7a6b6a4d03", 13],
  ])
})

test("one lost card breaks the call for all: the others are asked one by one", async () => {
  const plays = {
    "-q -x": { stdout: LOST_LINE, exitCode: 255 },
    "-L": { stdout: LISTING, stderr: LOST_LINE },
    ...alone(),
    "-q -x -i 0000:04:00.0": { stdout: LOST_LINE, exitCode: 255 },
  }
  const { gpus, problems } = await detect(plays)
  expect(states(gpus)).toEqual(ALL_BUT_3)
  expect(gpus[3]).toMatchObject({ pciAddress: "0000:04:00.0", offerable: false, backends: [] })
  expect(gpus[3]?.reasons).toMatchObject([expect.stringContaining("Restart the machine")])
  expect(gpus[7]).toMatchObject({ pciAddress: "0000:08:00.0", temperatureC: 57, vramTotalMiB: 7982 })
  expect(problems).toEqual([])
})

test("a card that the call for all calls lost, but that answers for itself, is not lost", async () => {
  const plays = {
    "-q -x": { stdout: RIG.replace(/^Unable.*\n/, ""), stderr: LOST_LINE },
    "-q -x -i 0000:04:00.0": {
      stdout: recorded("rtx-4090-535.xml").replaceAll("00000000:01:00.0", "00000000:04:00.0"),
    },
  }
  const { gpus } = await detect(plays)
  expect(gpus[3]).toMatchObject({ index: 3, health: "ok", name: "NVIDIA GeForce RTX 4090" })
})

test("output that breaks off in the middle of a line: the rest is asked for card by card", async () => {
  const middle = RIG.indexOf("GPU-aaaaaaa5") + 8
  const plays = {
    "-q -x": { stdout: RIG.replace(/^Unable.*\n/, "").slice(0, middle), crashes: true },
    "-L": { stdout: LISTING },
    ...alone(),
  }
  const { gpus, problems } = await detect(plays)
  expect(states(gpus)).toEqual(ALL_BUT_3.filter(state => state !== "3 lost"))
  expect(problems).toMatchObject([{ message: "The driver counts 8 NVIDIA cards, but only 7 could be read." }])
})

test("where nothing more can be had, the cut card is listed with what to do", async () => {
  const middle = RIG.indexOf("GPU-aaaaaaa1") + 8
  const { gpus } = await detect({ "-q -x": { stdout: RIG.slice(0, middle), crashes: true } })
  expect(gpus.map(({ pciAddress, health }) => [pciAddress, health])).toEqual([
    ["0000:01:00.0", "ok"],
    ["0000:02:00.0", "degraded"],
    ["0000:04:00.0", "lost"],
  ])
  expect(gpus[1]).toMatchObject({
    uuid: null,
    offerable: false,
    reasons: [/broke off/, /nvidia-smi -q -i/].map(r => expect.stringMatching(r)),
  })
})

test("one card that hangs holds up its own call only", async () => {
  const listing = LISTING.replace("GPU 4:", `GPU 3: NVIDIA GeForce RTX 3070 (UUID: ${uuidOf(3)})\nGPU 4:`)
  const plays = {
    "-q -x": { hangs: true },
    "--query-gpu": { hangs: true },
    "-L": { stdout: listing },
    ...alone(),
    [`-q -x -i ${uuidOf(3)}`]: { hangs: true },
  }
  const start = performance.now()
  const { gpus, problems } = await detect(plays, 1500)
  expect(performance.now() - start).toBeLessThan(8000)
  expect(states(gpus)).toEqual(ALL_BUT_3)
  expect(gpus[3]).toMatchObject({ uuid: uuidOf(3), name: "NVIDIA GeForce RTX 3070", offerable: false })
  expect(gpus[3]?.reasons).toMatchObject([expect.stringContaining("hangs")])
  expect(problems[0]).toMatchObject({ message: "nvidia-smi did not answer within 1.5 s and was ended." })
})

test("a hang in the middle keeps what was printed before", async () => {
  const middle = RIG.indexOf("GPU-aaaaaaa2")
  const { gpus, problems } = await detect({ "-q -x": { stdout: RIG.slice(0, middle), hangs: true } }, 1000)
  expect(gpus.filter(({ health }) => health === "ok").map(({ uuid }) => uuid)).toEqual([uuidOf(0), uuidOf(1)])
  expect(problems[0]?.hint).toContain("dmesg")
})

test("a tool that always hangs is given up in time", async () => {
  const start = performance.now()
  const { gpus, problems } = await detect({ "*": { hangs: true } }, 500)
  expect(performance.now() - start).toBeLessThan(5000)
  expect(gpus).toEqual([])
  expect(problems).toMatchObject([{ source: "nvidia-smi", hint: expect.stringContaining("restart") }])
})

test("a driver that refuses altogether is not asked card by card", async () => {
  const stdout = "Failed to initialize NVML: Driver/library version mismatch\n"
  const { gpus, problems } = await detect({ "*": { stdout, exitCode: 18 } })
  expect(gpus).toEqual([])
  expect(problems).toMatchObject([{ hint: "The driver was updated while it ran: restart the machine." }])
  expect(await calls()).toHaveLength(2)
})

test("a slow tool is waited for", async () => {
  const { gpus } = await detect({ "-q -x": { stdout: recorded("t4-570.xml"), delayS: 1 } })
  expect(gpus).toMatchObject([{ name: "Tesla T4" }])
})

test("an aborted detection ends at once with the signal's reason", async () => {
  const reason = new Error("stopped")
  const abort = new AbortController()
  setTimeout(() => abort.abort(reason), 300)
  await expect(detect({ "*": { hangs: true } }, 20_000, abort.signal)).rejects.toBe(reason)
})
