import { expect, test } from "vitest"
import { rooflineChart } from "../../../../src/runtime/bench/page/roofline.ts"
import { cardRoofline, edgeOf, hostRoofline } from "../../../../src/runtime/bench/page/rooflines.ts"
import { CARD, figure } from "../report/sample-report.ts"
import { rig } from "./rig.ts"

const memory = figure("memory-copy", 1e12, { unit: "B/s" })

test("the faster way through the memory and every product are the roofs, and the maker's say is known by the card", () => {
  const card = rig().cards[0]
  const roofline = card && cardRoofline(card)
  expect(roofline).toMatchObject({ bytesPerSecond: 902e9, peakBytesPerSecond: 1008e9 })
  expect(roofline?.roofs.map(({ name, flops }) => [name, flops])).toEqual([
    ["FP32", 42.6e12],
    ["FP16", 46.1e12],
    ["FP16 on matrix units", 141e12],
  ])
  expect(roofline?.roofs[0]?.peakFlops).toBeCloseTo(82.6e12, -12)
})

test("nobody's say is drawn for a card that is not known", () => {
  const figures = [figure("matmul-fp32", 50e12), memory]
  expect(cardRoofline({ ...CARD, pciId: null, figures })).toMatchObject({
    peakBytesPerSecond: null,
    roofs: [{ peakFlops: null }],
  })
})

test("without memory or without any product there is none", () => {
  expect(cardRoofline({ ...CARD, figures: [figure("matmul-fp32", 50e12)] })).toBeNull()
  expect(cardRoofline({ ...CARD, figures: [memory] })).toBeNull()
  expect(cardRoofline({ ...CARD, figures: [] })).toBeNull()
})

test("the processor has one, too", () => {
  expect(hostRoofline(rig().host)).toMatchObject({
    bytesPerSecond: 131e9,
    roofs: [{ flops: 812e9 }, { flops: 38e9 }],
  })
})

test("the edge is where the memory stops to be the limit", () => {
  expect(edgeOf({ bytesPerSecond: 1e12 }, { flops: 50e12 })).toBe(50)
})

test("who does not see it hears the same", () => {
  const roofline = hostRoofline(rig().host)
  expect(roofline && rooflineChart(roofline).label).toBe(
    "Roofline of AMD EPYC 7443P 24-Core Processor: memory 131 GB/s, FP32, all cores 812 GFLOP/s, FP32, one core 38 GFLOP/s",
  )
})
