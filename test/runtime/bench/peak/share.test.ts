import { expect, test } from "vitest"
import { FigureName } from "../../../../src/runtime/bench/gpu/plan.ts"
import { peakOf } from "../../../../src/runtime/bench/peak/peak.ts"
import { peakRemarks, percent } from "../../../../src/runtime/bench/peak/remarks.ts"
import { cardPeakOf, shareOfPeak } from "../../../../src/runtime/bench/peak/share.ts"
import { CARD, figure } from "../report/sample-report.ts"

const KNOWN_BY = { pciId: CARD.pciId, pciRevision: CARD.pciRevision, vramMiB: CARD.vramMiB }
const PASCAL = { ...KNOWN_BY, pciId: "10de:1b06" }

test("a figure is held against the peak of its own kind, and one that is faster than the reference is so", () => {
  const peak = peakOf(KNOWN_BY)
  const most = {
    "matmul-fp32": peak?.fp32Flops,
    "matmul-fp16": peak?.fp16Flops,
    "matmul-subgroup-f16": peak?.matrixFlops,
    "memory-copy": peak?.memoryBytesPerSecond,
    "memory-triad": peak?.memoryBytesPerSecond,
  }
  for (const [name, value] of Object.entries(most)) {
    expect(shareOfPeak(figure(name, (value ?? 0) / 2), KNOWN_BY), name).toBeCloseTo(0.5)
    expect(shareOfPeak(figure(name, (value ?? 0) * 1.04), KNOWN_BY), name).toBeCloseTo(1.04)
  }
  const others = FigureName.options.filter(name => !Object.hasOwn(most, name))
  for (const name of [...others, "cpu-sha256-one-core", "constructor"]) {
    expect(shareOfPeak(figure(name, 1e9), KNOWN_BY), name).toBeNull()
  }
})

test("there is no share of what the card has no peak of, nor of an unknown card's", () => {
  for (const name of ["matmul-fp16", "matmul-subgroup-f16"]) {
    expect(shareOfPeak(figure(name, 1e12), PASCAL), name).toBeNull()
  }
  expect(shareOfPeak(figure("matmul-fp32", 10e12), PASCAL)).toBeCloseTo(0.88, 2)
  expect(shareOfPeak(figure("matmul-fp32", 10e12), { ...KNOWN_BY, pciId: null })).toBeNull()
})

test("a card's shares are by the names of its figures", () => {
  const figures = [figure("matmul-fp32", 50e12), figure("host-to-device", 12e9, { unit: "B/s" })]
  const { identity, peak, shares } = cardPeakOf({ ...CARD, figures })
  expect({ identity, card: peak?.card }).toEqual({ identity: CARD.identity, card: "GeForce RTX 4090" })
  expect(shares).toEqual({ "matmul-fp32": expect.closeTo(0.6055, 4) })
  expect(cardPeakOf({ ...CARD, pciId: "10de:2082" })).toMatchObject({ peak: null, shares: {} })
})

test("a measured card's remarks say once whose peak it is, or why none is known", () => {
  expect(peakRemarks(CARD)).toEqual([expect.stringMatching(/^of peak: of GeForce RTX 4090 \(NVIDIA Ada /)])
  expect(peakRemarks({ ...CARD, pciId: "1002:687f", pciRevision: "c1", vramMiB: 8176 })).toEqual([
    "of peak: unknown, as the table of cards has none that is certainly 1002:687f, revision c1, with 8176 MiB",
  ])
  expect(peakRemarks({ ...CARD, pciId: "10de:2082", vramMiB: null })[0]).toMatch(/certainly 10de:2082$/)
  expect(peakRemarks({ ...CARD, pciId: null })[0]).toMatch(/does not tell the card's PCI id$/)
  expect(peakRemarks({ ...CARD, figures: [] })).toEqual([])
})

test("a share that no board reaches is pointed out", () => {
  const remarks = (flops: number) => peakRemarks({ ...CARD, figures: [figure("matmul-fp32", flops)] })
  expect(remarks(100e12)).toHaveLength(1)
  expect(remarks(120e12)[1]).toMatch(/^matmul-fp32 cannot be 145 % of the peak: /)
})

test("shares are said in whole percent", () => {
  expect([0, 0.714, 0.996, 1.042].map(percent)).toEqual(["0 %", "71 %", "100 %", "104 %"])
})
