import { expect, test } from "vitest"
import { DetectedGpu } from "../../../../src/runtime/host/gpu.ts"
import { detectIntel } from "../../../../src/runtime/host/intel/detect.ts"
import { ID_FILES, unpackRecorded } from "../drm/recorded-tree.ts"

const signal = new AbortController().signal

test("Intel graphics are listed by name and place, and not offerable; the AMD card beside them is not Intel's", async () => {
  const sysfs = await unpackRecorded("intel-and-rx-6600")
  const { gpus, problems } = await detectIntel({ sysfs, signal, idFiles: ID_FILES })
  expect(problems).toEqual([])
  expect(gpus).toMatchObject([
    {
      vendor: "intel",
      name: "CoffeeLake-S GT2 [UHD Graphics 630]",
      pciAddress: "0000:00:02.0",
      pciId: "8086:3e92",
      vramTotalMiB: null,
      health: "ok",
      offerable: false,
      reasons: ["No backend of zg-agent runs on Intel GPUs yet."],
    },
  ])
  expect(() => DetectedGpu.parse(gpus[0])).not.toThrow()
})

test("a machine without Intel graphics has none", async () => {
  const sysfs = await unpackRecorded("rx-580")
  expect(await detectIntel({ sysfs, signal, idFiles: ID_FILES })).toEqual({ gpus: [], problems: [] })
})
