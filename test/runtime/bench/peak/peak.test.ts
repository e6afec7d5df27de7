import { expect, test } from "vitest"
import { peakOf } from "../../../../src/runtime/bench/peak/peak.ts"

test("an id decides, and a card without one has no peak", () => {
  const card = { pciRevision: null, vramMiB: 24_576 }
  const peak = peakOf({ ...card, pciId: "10de:2204" })
  expect(peak).toMatchObject({ card: "GeForce RTX 3090", fp16Flops: peak?.fp32Flops })
  expect((peak?.fp32Flops ?? 0) / 1e12).toBeCloseTo(35.6, 1)
  expect((peak?.matrixFlops ?? 0) / 1e12).toBeCloseTo(71, 0)
  expect((peak?.memoryBytesPerSecond ?? 0) / 1e9).toBeCloseTo(936, 0)
  expect(peakOf({ ...card, pciId: "10de:ffff" })).toBeNull()
  expect(peakOf({ ...card, pciId: null })).toBeNull()
})
