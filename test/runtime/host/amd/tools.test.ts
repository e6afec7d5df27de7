import { readFile } from "node:fs/promises"
import path from "node:path"
import fc from "fast-check"
import { afterEach, expect, test } from "vitest"
import { parseAmdSmi } from "../../../../src/runtime/host/amd/amd-smi.ts"
import { detectAmd } from "../../../../src/runtime/host/amd/detect.ts"
import { targetOfText, targetOfVersion } from "../../../../src/runtime/host/amd/gfx-target.ts"
import { filled } from "../../../../src/runtime/host/amd/record.ts"
import { parseRocmSmi } from "../../../../src/runtime/host/amd/rocm-smi.ts"
import { DetectedGpu } from "../../../../src/runtime/host/gpu.ts"
import { ID_FILES, NO_PROGRAMS, recordedTree, unpack, unpackRecorded } from "../drm/recorded-tree.ts"

const RECORDED = path.resolve(import.meta.dirname, "../../../recorded/amd")
const STAND_IN = path.resolve(import.meta.dirname, "../../../stand-in")
const ROCM_SMI = { ...NO_PROGRAMS, rocmSmi: ["/nowhere/rocm-smi", `${STAND_IN}/rocm-smi`] }
const AMD_SMI = { ...NO_PROGRAMS, amdSmi: [`${STAND_IN}/amd-smi`] }
const recorded = (name: string) => readFile(`${RECORDED}/${name}`, "utf8")

afterEach(() => {
  for (const name of ["ROCM_SMI_RECORD", "ROCM_SMI_MANNER", "AMD_SMI_RECORD", "AMD_SMI_MANNER"]) {
    delete process.env[name]
  }
})

async function look(sysfs: string, programs: typeof NO_PROGRAMS, signal = new AbortController().signal) {
  const found = await detectAmd({ sysfs, signal, idFiles: ID_FILES, programs, toolLimitMs: 1500 })
  for (const gpu of found.gpus) DetectedGpu.parse(gpu)
  return found
}

test("rocm-smi of ROCm 3.5: cards out of order, old keys, numbers and several models in place of a name", async () => {
  const cards = parseRocmSmi(await recorded("rocm-smi-3.5-radeon-vii.json"))
  expect(cards).toMatchObject([
    {
      pciAddress: "0000:03:00.0",
      device: 0x66af,
      name: null,
      familyName: "Vega 20 [Radeon VII / Radeon Pro VII / MI50]",
      uuid: "217b2c30dc9d2f4e",
      vramTotalMiB: 16368,
      vramUsedMiB: 11,
      fanPct: 19,
      powerDrawW: 20,
      powerLimitW: 250,
      clocksMhz: { core: 700, memory: 351 },
    },
    { pciAddress: "0000:06:00.0", name: null, familyName: null, uuid: "017a4e10dc8b3342", fanPct: null },
  ])
})

test("rocm-smi of ROCm 5.7: a secondary die, an upper-case address, a text behind it, a decimal stepping", async () => {
  expect(parseRocmSmi(await recorded("rocm-smi-5.7-mi250.json"))).toMatchObject([
    {
      pciAddress: "0000:2f:00.0",
      uuid: "719d230578348e8c",
      name: "AMD INSTINCT MI250 (MCM) OAM AC MBA",
      powerDrawW: 89,
      powerLimitW: 560,
      driverVersion: "6.2.4",
      temperatureC: 32,
      computeCapability: null,
      mig: null,
      gfxTarget: null,
    },
    { pciAddress: "0000:32:00.0", uuid: null, powerDrawW: null, powerLimitW: null, gfxTarget: "gfx90a" },
  ])
})

test("rocm-smi of ROCm 6.4: a warning before the JSON, new keys", async () => {
  expect(parseRocmSmi(await recorded("rocm-smi-6.4-rx-7900-xtx.json"))).toEqual([
    {
      name: "AMD Radeon RX 7900 XTX",
      familyName: "AMD Radeon RX 7900 XTX",
      device: 0x744c,
      uuid: "8910e3b9d5428115",
      pciAddress: "0000:03:00.0",
      pciId: "1002:744c",
      pciRevision: "c8",
      vramTotalMiB: 24560,
      vramUsedMiB: 24,
      driverVersion: "6.10.5",
      temperatureC: 34,
      utilizationPct: 0,
      powerDrawW: 17,
      powerLimitW: 339,
      fanPct: 20,
      clocksMhz: { core: 35, memory: 96 },
      pcie: { gen: null, width: null, maxWidth: null },
      computeCapability: null,
      mig: null,
      gfxTarget: "gfx1100",
      renderNode: null,
    },
  ])
})

test("amd-smi: both forms, joined by the GPU's number; N/A and 65535 are null", async () => {
  const cards = parseAmdSmi([await recorded("amd-smi-static.json"), await recorded("amd-smi-metric.json")])
  expect(cards).toEqual([
    {
      name: "AMD Radeon RX 7900 XTX",
      familyName: "AMD Radeon RX 7900 XTX",
      device: 0x744c,
      uuid: "8910e3b9d5428115",
      pciAddress: "0000:03:00.0",
      pciId: "1002:744c",
      pciRevision: "c8",
      vramTotalMiB: 24560,
      vramUsedMiB: 4096,
      driverVersion: "6.10.5",
      temperatureC: 51,
      utilizationPct: 47,
      powerDrawW: 120,
      powerLimitW: 339,
      fanPct: 25,
      clocksMhz: { core: 2371, memory: 1249 },
      pcie: { gen: 4, width: 16, maxWidth: 16 },
      computeCapability: null,
      mig: null,
      gfxTarget: "gfx1100",
      renderNode: null,
    },
    {
      name: "AMD Radeon 8060S Graphics",
      familyName: "AMD Radeon 8060S Graphics",
      device: 0x1586,
      uuid: null,
      pciAddress: "0000:c4:00.0",
      pciId: "1002:1586",
      pciRevision: null,
      vramTotalMiB: 512,
      vramUsedMiB: 0,
      driverVersion: null,
      temperatureC: null,
      utilizationPct: null,
      powerDrawW: null,
      powerLimitW: null,
      fanPct: null,
      clocksMhz: { core: null, memory: null },
      pcie: { gen: null, width: null, maxWidth: null },
      computeCapability: null,
      mig: null,
      gfxTarget: "gfx1151",
      renderNode: null,
    },
  ])
})

test("targets: KFD's hexadecimal stepping, rocm-smi's decimal one, feature suffixes", () => {
  expect([90010, 90012, 90402, 80003, 100300, 110501, 120001].map(targetOfVersion)).toEqual([
    "gfx90a",
    "gfx90c",
    "gfx942",
    "gfx803",
    "gfx1030",
    "gfx1151",
    "gfx1201",
  ])
  expect([0, null, -1, 90099].map(targetOfVersion)).toEqual([null, null, null, null])
  expect(
    ["gfx9010", "gfx9012", "gfx906:sramecc+:xnack-", "GFX940", "gfx1100", "N/A", null].map(targetOfText),
  ).toEqual(["gfx90a", "gfx90c", "gfx906", "gfx940", "gfx1100", null, null])
})

test("no text makes a parser throw", () => {
  const words = fc.constantFrom(
    "card0",
    "gpu_data",
    "Card series",
    "PCI Bus",
    "N/A",
    "0x1002",
    "bus",
    "bdf",
    "value",
  )
  const json = fc.letrec(tie => ({
    value: fc.oneof(
      { maxDepth: 4 },
      words,
      fc.double(),
      fc.constant(null),
      tie("object"),
      fc.array(tie("value")),
    ),
    object: fc.dictionary(fc.oneof(words, fc.string()), tie("value")),
  })).value
  const text = fc.oneof(
    fc.string(),
    json.map(value => JSON.stringify(value)),
    json.map(v => `WARNING: {x\n${JSON.stringify(v)}`),
  )
  fc.assert(
    fc.property(text, output => {
      parseRocmSmi(output)
      parseAmdSmi([output, output])
    }),
  )
})

test("dropping any of a tool's fields leaves the others' values as they were, or null", async () => {
  const [whole] = parseRocmSmi(await recorded("rocm-smi-6.4-rx-7900-xtx.json")) ?? []
  const text = (await recorded("rocm-smi-6.4-rx-7900-xtx.json")).split("\n").at(-2) ?? ""
  const fields = Object.entries(JSON.parse(text).card0)
  fc.assert(
    fc.property(fc.subarray(fields), kept => {
      const [card] = parseRocmSmi(JSON.stringify({ card0: Object.fromEntries(kept) })) ?? []
      if (card === undefined || whole === undefined) throw new Error("the card is gone")
      expect(filled(card, whole)).toEqual(whole)
    }),
  )
})

test("what sysfs knows stays, what it lacks the tool fills in, by address", async () => {
  const missing = ["mem_info_vram_used", "temp1_input", "unique_id", "power1_cap"]
  const tree = (await recordedTree("rx-7900-xtx"))
    .filter(({ place }) => !missing.includes(path.basename(place)) && !place.startsWith("module/"))
    .map(entry => ({ ...entry, content: entry.content.replace(/unique_id \d+/, "unique_id 0") }))
  const sysfs = await unpack(tree)
  process.env.ROCM_SMI_RECORD = `${RECORDED}/rocm-smi-6.4-rx-7900-xtx.json`
  expect((await look(sysfs, NO_PROGRAMS)).gpus[0]).toMatchObject({
    uuid: null,
    temperatureC: null,
    powerLimitW: null,
  })
  const { gpus, problems } = await look(sysfs, ROCM_SMI)
  expect(problems).toEqual([])
  expect(gpus).toMatchObject([
    {
      uuid: "8910e3b9d5428115",
      vramUsedMiB: 24,
      temperatureC: 34,
      powerLimitW: 339,
      driverVersion: "6.10.5",
      pcie: { gen: 4, width: 16, maxWidth: 16 },
      offerable: true,
    },
  ])
})

test("a rocm-smi that does not know a flag is asked with fewer", async () => {
  process.env.ROCM_SMI_RECORD = `${RECORDED}/rocm-smi-3.5-radeon-vii.json`
  process.env.ROCM_SMI_MANNER = "old"
  const tree = (await recordedTree("radeon-vii-and-mi50")).filter(e => !e.place.endsWith("gpu_busy_percent"))
  const { gpus, problems } = await look(await unpack(tree), ROCM_SMI)
  expect(problems).toEqual([])
  expect(gpus.map(gpu => gpu.utilizationPct)).toEqual([0, 0])
})

test("a card that only amd-smi shows is listed beside those of sysfs, and not offered", async () => {
  process.env.AMD_SMI_RECORD = `${RECORDED}/amd-smi`
  const { gpus, problems } = await look(await unpackRecorded("rx-7900-xtx"), AMD_SMI)
  expect(problems).toEqual([])
  expect(gpus).toMatchObject([
    { index: 0, pciAddress: "0000:03:00.0", temperatureC: 34, utilizationPct: 0, offerable: true },
    {
      index: 1,
      pciAddress: "0000:c4:00.0",
      name: "AMD Radeon 8060S Graphics",
      vramTotalMiB: 512,
      offerable: false,
    },
  ])
})

test.each([
  ["hang", /did not answer within 1.5 s/],
  ["crash", /SIGSEGV/],
  ["garbage", /nothing that can be read/],
  ["half", /failed \(1\)/],
])("a tool that does not work (%s) leaves a problem and takes nothing away", async (manner, message) => {
  process.env.ROCM_SMI_RECORD = `${RECORDED}/rocm-smi-6.4-rx-7900-xtx.json`
  process.env.ROCM_SMI_MANNER = manner
  const sysfs = await unpackRecorded("rx-7900-xtx")
  const plain = (await look(sysfs, NO_PROGRAMS)).gpus
  const { gpus, problems } = await look(sysfs, ROCM_SMI)
  expect(gpus).toEqual(plain)
  expect(problems).toHaveLength(1)
  expect(problems[0]).toMatchObject({ source: "rocm-smi", message: expect.stringMatching(message) })
})

test("an aborted look ends at once, with the signal's reason", async () => {
  process.env.ROCM_SMI_MANNER = "hang"
  const abort = new AbortController()
  const looking = look(await unpackRecorded("rx-580"), ROCM_SMI, abort.signal)
  setTimeout(() => abort.abort(new Error("enough")), 100)
  const started = Date.now()
  await expect(looking).rejects.toThrow("enough")
  expect(Date.now() - started).toBeLessThan(1200)
})
