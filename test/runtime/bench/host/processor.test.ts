import { mkdtemp, rm, writeFile } from "node:fs/promises"
import os, { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { lookAtProcessor, parseCpuInfo } from "../../../../src/runtime/bench/host/processor.ts"

/** Two sockets of one core with two threads each. */
const XEON = [0, 1, 2, 3]
  .map(number =>
    [
      `processor\t: ${number}`,
      "vendor_id\t: GenuineIntel",
      "model name\t: Intel(R) Xeon(R) Platinum 8480+",
      `physical id\t: ${number % 2}`,
      "core id\t\t: 0",
      "flags\t\t: fpu sse sse2 avx avx2 avx512f avx512bw amx_bf16 amx_tile amx_int8",
      "power management:",
    ].join("\n"),
  )
  .join("\n\n")

const CELERON = [
  "processor\t: 0",
  "model name\t: Intel(R) Celeron(R) CPU G3930 @ 2.90GHz",
  "physical id\t: 0",
  "core id\t\t: 0",
  "flags\t\t: fpu sse sse2 ssse3 sse4_1 sse4_2",
  "",
].join("\n")

const RASPBERRY_PI = [
  "processor\t: 0",
  "BogoMIPS\t: 108.00",
  "Features\t: fp asimd evtstrm crc32 cpuid",
  "CPU implementer\t: 0x41",
  "",
  "Revision\t: c03114",
  "Model\t\t: Raspberry Pi 4 Model B Rev 1.4",
  "",
].join("\n")

test("threads of one core are counted once, and all instruction sets are seen", () => {
  expect(parseCpuInfo(XEON)).toEqual({
    model: "Intel(R) Xeon(R) Platinum 8480+",
    physicalCores: 2,
    instructionSets: { avx: true, avx2: true, avx512: true, amx: true },
  })
})

test("a mining rig's Celeron has none of them", () => {
  expect(parseCpuInfo(CELERON)).toEqual({
    model: "Intel(R) Celeron(R) CPU G3930 @ 2.90GHz",
    physicalCores: 1,
    instructionSets: { avx: false, avx2: false, avx512: false, amx: false },
  })
})

test("what is not told is null: never a guess", () => {
  const unknown = { avx: null, avx2: null, avx512: null, amx: null }
  expect(parseCpuInfo(RASPBERRY_PI)).toEqual({
    model: "Raspberry Pi 4 Model B Rev 1.4",
    physicalCores: null,
    instructionSets: unknown,
  })
  expect(parseCpuInfo("")).toEqual({ model: null, physicalCores: null, instructionSets: unknown })
})

test("this machine has a processor, with and without a file about it", async () => {
  const root = await mkdtemp(join(tmpdir(), "zg-cpuinfo-"))
  const path = join(root, "cpuinfo")
  await writeFile(path, XEON)
  expect(await lookAtProcessor(path)).toMatchObject({
    physicalCores: 2,
    logicalCores: os.availableParallelism(),
  })
  await rm(root, { recursive: true })
  const { logicalCores, instructionSets } = await lookAtProcessor(path)
  expect([logicalCores, instructionSets.avx]).toEqual([os.availableParallelism(), null])
})
