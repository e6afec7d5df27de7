import { mkdtempSync } from "node:fs"
import { mkdir, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { execa } from "execa"
import { expect, test } from "vitest"
import type { DetectedGpu, GpuProblem } from "../../src/runtime/host/gpu.ts"
import { DetectedGpu as DetectedGpuSchema } from "../../src/runtime/host/gpu.ts"
import type { Change } from "../../src/runtime/host/identity-of.ts"
import { unpackRecorded } from "../runtime/host/drm/recorded-tree.ts"
import { installNvidiaSmi, type Play } from "../stand-in/nvidia-smi.ts"

interface Answer {
  gpus: DetectedGpu[]
  problems: GpuProblem[]
  changes: Change[]
}

const recorded = (name: string) => readFile(join("test/recorded/nvidia", `${name}.xml`), "utf8")

/** A machine with a recorded sysfs, and an nvidia-smi that replays what is given. */
async function machine(tree: string, plays: Record<string, Play> | null) {
  const root = mkdtempSync(join(tmpdir(), "zg-gpus-"))
  const bin = join(root, "bin")
  await mkdir(bin)
  if (plays) await installNvidiaSmi(bin, plays)
  const sysfs = await unpackRecorded(tree)
  const run = async (...args: string[]) => {
    const env = { ZG_HOME: join(root, "home"), ZG_SYSFS: sysfs, PATH: `${bin}:/usr/bin:/bin` }
    const { stdout, exitCode } = await execa(process.execPath, ["bin/run.js", "gpus", ...args], {
      env,
      reject: false,
    })
    expect(exitCode, stdout).toBe(0)
    return stdout
  }
  return { bin, sysfs, run, look: async () => JSON.parse(await run("--json")) as Answer }
}

test("NVIDIA, AMD and Intel cards in one machine are all listed, in the order of the bus", {
  timeout: 60_000,
}, async () => {
  const { look, run } = await machine("intel-and-rx-6600", {
    "-q -x": { stdout: await recorded("rtx-4090-535") },
  })
  const { gpus, changes } = await look()
  expect(new Set(gpus.map(({ vendor }) => vendor))).toEqual(new Set(["nvidia", "amd", "intel"]))
  expect(gpus.map(({ index }) => index)).toEqual(gpus.map((_, index) => index))
  const places = gpus.map(({ pciAddress }) => pciAddress)
  expect(places).toEqual([...places].sort())
  for (const gpu of gpus) expect(DetectedGpuSchema.parse(gpu)).toEqual(gpu)
  expect(gpus.find(({ vendor }) => vendor === "nvidia")).toMatchObject({
    offerable: true,
    backends: ["cuda"],
  })
  expect(changes).toEqual([])
  expect(await run()).toContain("RTX 4090")
})

test("a card that was taken out is told, and locks nothing", { timeout: 60_000 }, async () => {
  const { look, bin } = await machine("intel-and-rx-6600", {
    "-q -x": { stdout: await recorded("rtx-4090-535") },
  })
  await look()
  await rm(join(bin, "nvidia-smi"))
  const { gpus, changes } = await look()
  expect(gpus.map(({ vendor }) => vendor)).not.toContain("nvidia")
  expect(changes).toMatchObject([{ kind: "removed", before: { name: expect.stringContaining("4090") } }])
  expect((await look()).changes).toEqual([])
})

test("an nvidia-smi that hangs takes nothing from the other vendors' cards", {
  timeout: 120_000,
}, async () => {
  const { look } = await machine("intel-and-rx-6600", { "*": { hangs: true } })
  const { gpus, problems } = await look()
  expect(gpus.filter(({ vendor }) => vendor === "amd")).toHaveLength(1)
  expect(problems.map(({ hint }) => hint).join()).not.toBe("")
})

test("a machine without any GPU says so", async () => {
  const { run } = await machine("reduced", null)
  const empty = mkdtempSync(join(tmpdir(), "zg-sysfs-"))
  expect(await run("--sysfs", empty)).toBe("No GPU was found.")
})
