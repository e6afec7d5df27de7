import { expect, test } from "vitest"
import { PciId, PciRevision } from "../../../../src/protocol/pci-id.ts"
import { GROUPS, type Peak, peakOf } from "../../../../src/runtime/bench/peak/peak.ts"

type Published = [id: string, vramMiB: number, fp32: number, fp16: number | null, matrix: number | null]

/** What the makers print, in TFLOP/s and GB/s; none of it is in the table, which has units, clocks and rates. */
const PUBLISHED: Record<string, [...Published, memory: number]> = {
  "GeForce GTX 1080": ["10de:1b80", 8192, 8.9, null, null, 320],
  "GeForce GTX 1080 Ti": ["10de:1b06", 11_264, 11.3, null, null, 484],
  "GeForce GTX 1660 SUPER": ["10de:21c4", 6144, 5.03, null, null, 336],
  "Tesla P40": ["10de:1b38", 23_040, 11.8, null, null, 346],
  "Tesla P100 PCIe 16GB": ["10de:15f8", 16_384, 9.3, 18.7, null, 732],
  "Tesla P100 SXM2 16GB": ["10de:15f9", 16_384, 10.6, 21.2, null, 732],
  "Tesla V100 SXM2": ["10de:1db5", 32_768, 15.7, 31.4, 125, 900],
  "Tesla V100 PCIe": ["10de:1db4", 16_384, 14, 28, 112, 900],
  "Tesla T4": ["10de:1eb8", 15_360, 8.1, 16.2, 65, 320],
  "GeForce RTX 2070": ["10de:1f02", 8192, 7.5, 14.9, 29.9, 448],
  "GeForce RTX 2080": ["10de:1e87", 8192, 10.1, 20.1, 40.3, 448],
  "GeForce RTX 2080 Ti": ["10de:1e04", 11_264, 13.4, 26.9, 53.8, 616],
  "A100 SXM4 40GB": ["10de:20b0", 40_960, 19.5, 78, 312, 1555],
  "A100 SXM4 80GB": ["10de:20b2", 81_920, 19.5, 78, 312, 2039],
  "A100 PCIe 80GB": ["10de:20b5", 81_920, 19.5, 78, 312, 1935],
  "GeForce RTX 3070": ["10de:2488", 8192, 20.3, 20.3, 40.6, 448],
  "GeForce RTX 3080": ["10de:2206", 10_240, 29.8, 29.8, 59.5, 760],
  "GeForce RTX 3090": ["10de:2204", 24_576, 35.6, 35.6, 71, 936],
  "RTX A6000": ["10de:2230", 49_140, 38.7, 38.7, 154.8, 768],
  A40: ["10de:2235", 46_068, 37.4, 37.4, 149.7, 696],
  A10: ["10de:2236", 23_028, 31.2, null, 125, 600],
  L4: ["10de:27b8", 23_034, 30.3, null, 121, 300],
  L40S: ["10de:26b9", 46_068, 91.6, null, 362, 864],
  "GeForce RTX 4080": ["10de:2704", 16_376, 48.7, 48.7, 97.5, 716.8],
  "GeForce RTX 4090": ["10de:2684", 24_564, 82.6, 82.6, 165.2, 1008],
  "H100 SXM5 80GB": ["10de:2330", 81_559, 66.9, 133.8, 989.4, 3352],
  "H100 PCIe": ["10de:2331", 81_559, 51.2, 102.4, 756, 2039],
  "H200 SXM 141GB": ["10de:2335", 143_771, 67, null, 989, 4800],
  "GeForce RTX 5070": ["10de:2f04", 12_227, 30.9, 30.9, 61.7, 672],
  "GeForce RTX 5070 Ti": ["10de:2c05", 16_303, 43.9, 43.9, 87.9, 896],
  "GeForce RTX 5080": ["10de:2c02", 16_303, 56.3, 56.3, 112.6, 960],
  "GeForce RTX 5090": ["10de:2b85", 32_607, 104.8, 104.8, 209.5, 1792],
  "Radeon RX 470": ["1002:67df:cf", 4096, 4.9, 4.9, null, 211],
  "Radeon RX 480": ["1002:67df:c7", 8192, 5.8, 5.8, null, 256],
  "Radeon RX 570": ["1002:67df:ef", 8192, 5.1, 5.1, null, 224],
  "Radeon RX 580": ["1002:67df:e7", 8192, 6.2, 6.2, null, 256],
  "Radeon RX 590": ["1002:67df:e1", 8192, 7.1, 7.1, null, 256],
  "Radeon VII": ["1002:66af:c1", 16_368, 13.44, 26.88, null, 1024],
  "Radeon RX 5700": ["1002:731f:c4", 8176, 7.95, 15.9, null, 448],
  "Radeon RX 5700 XT": ["1002:731f:c1", 8176, 9.75, 19.5, null, 448],
  "Radeon RX 6600": ["1002:73ff:c7", 8176, 8.93, 17.86, null, 224],
  "Radeon RX 6600 XT": ["1002:73ff:c1", 8176, 10.6, 21.2, null, 256],
  "Radeon RX 6700 XT": ["1002:73df:c1", 12_272, 13.21, 26.43, null, 384],
  "Radeon RX 6800": ["1002:73bf:c3", 16_368, 16.17, 32.33, null, 512],
  "Radeon RX 6800 XT": ["1002:73bf:c1", 16_368, 20.74, 41.47, null, 512],
  "Radeon RX 6900 XT": ["1002:73bf:c0", 16_368, 23.04, 46.08, null, 512],
  "Radeon RX 7600": ["1002:7480:cf", 8176, 21.75, null, 43.5, 288],
  "Radeon RX 7700 XT": ["1002:747e:ff", 12_272, 35.17, null, 70.34, 432],
  "Radeon RX 7800 XT": ["1002:747e:c8", 16_368, 37.32, null, 74.65, 624],
  "Radeon RX 7900 XT": ["1002:744c:cc", 20_464, 51.6, null, 103, 800],
  "Radeon RX 7900 XTX": ["1002:744c:c8", 24_560, 61.4, null, 123, 960],
}

/** `10de:2204`, or `1002:73bf:c1` with a revision. */
function known(id: string, vramMiB: number | null) {
  const [vendor, device, pciRevision = null] = id.split(":")
  return { pciId: `${vendor}:${device}`, pciRevision, vramMiB }
}

test.each(Object.entries(PUBLISHED))("%s is derived as its maker prints it", (card, published) => {
  const [id, vramMiB, fp32, fp16, matrix, memory] = published
  const peak = peakOf(known(id, vramMiB)) as Peak
  expect(peak.card).toBe(card)
  // Makers print two to four digits.
  const near = (value: number | null, printed: number | null, scale: number) =>
    expect(Math.abs((value ?? 0) / scale / (printed ?? 0) - 1)).toBeLessThan(0.015)
  near(peak.fp32Flops, fp32, 1e12)
  if (fp16 !== null) near(peak.fp16Flops, fp16, 1e12)
  if (matrix === null) expect(peak.matrixFlops).toBeNull()
  else near(peak.matrixFlops, matrix, 1e12)
  near(peak.memoryBytesPerSecond, memory, 1e9)
})

const MODELS = GROUPS.flatMap(({ models }) => models)

test("every id is one, and finds its own card and no other", () => {
  const ids = MODELS.flatMap(model => model.ids)
  expect(new Set(ids).size).toBe(ids.length)
  for (const { card, ids, vramGiB } of MODELS) {
    for (const id of ids) {
      const by = known(id, vramGiB === undefined ? null : vramGiB * 1024)
      expect(PciId.parse(by.pciId)).toBe(by.pciId)
      if (by.pciRevision !== null) expect(PciRevision.parse(by.pciRevision)).toBe(by.pciRevision)
      expect(peakOf(by)?.card).toBe(card)
      expect(peakOf({ ...by, pciId: null })).toBeNull()
    }
  }
})

test("where the id alone is not enough, a card without the rest is unknown", () => {
  expect(peakOf(known("10de:2504", 12_288))?.card).toBe("GeForce RTX 3060")
  expect(peakOf(known("10de:2504", 12_045))?.card).toBe("GeForce RTX 3060")
  for (const vramMiB of [8192, null]) expect(peakOf(known("10de:2504", vramMiB))).toBeNull()
  for (const id of ["1002:73bf", "1002:73bf:c2", "1002:687f:c1", "10de:2082", "10de:ffff"]) {
    expect(peakOf(known(id, 16_368))).toBeNull()
  }
})

test("a revision changes nothing where the id is enough", () => {
  expect(peakOf(known("10de:2204:a1", 24_576))?.card).toBe("GeForce RTX 3090")
})
