import { expect, test } from "vitest"
import { benchReport } from "../../src/cli/bench-report.ts"
import { cardPeakOf } from "../../src/runtime/bench/peak/share.ts"
import { CARD, figure, sampleReport } from "../runtime/bench/report/sample-report.ts"

const FIGURES = [
  figure("matmul-fp32", 58.5e12),
  figure("memory-copy", 920e9, { unit: "B/s" }),
  figure("host-to-device", 12.3e9, { unit: "B/s" }),
]

function printed(change: Partial<typeof CARD>, previous = false): string {
  const card = { ...CARD, figures: FIGURES, ...change }
  const report = sampleReport({ cards: [card] })
  const bundle = {} as Parameters<typeof benchReport>[0]["bundle"]
  const rest = { bundle, peaks: [cardPeakOf(card)], path: "/reports/one.json", unsent: null }
  return benchReport({ ...rest, report, previous: previous ? report : null })
}

const rowOf = (text: string, name: string) =>
  text
    .split("\n")
    .find(line => line.trim().startsWith(name))
    ?.trim()
    .split(/ {2,}/)

test("a known card's figures have their share of its peak, those without a peak an empty cell", () => {
  const text = printed({}, true)
  expect(rowOf(text, "figure")).toEqual(["figure", "median", "spread", "of peak", "last run"])
  expect(rowOf(text, "matmul-fp32")).toEqual(["matmul-fp32", "58.5 TFLOP/s", "±1.0 %", "71 %", "0 %"])
  expect(rowOf(text, "memory-copy")).toEqual(["memory-copy", "920 GB/s", "±1.0 %", "91 %", "0 %"])
  expect(rowOf(text, "host-to-device")).toEqual(["host-to-device", "12.3 GB/s", "±1.0 %", "0 %"])
  expect(text).toMatch(/^ {2}of peak: of GeForce RTX 4090 /m)
})

test("an unknown card has no such column, and one line that says so", () => {
  const text = printed({ pciId: "10de:2082" })
  expect(rowOf(text, "figure")).toEqual(["figure", "median", "spread"])
  expect(text.match(/of peak/g)).toHaveLength(1)
  expect(text).toMatch(/^ {2}of peak: unknown, .* 10de:2082/m)
})
