import { expect, test } from "vitest"
import { dropsOf, partsOf } from "../../../../src/runtime/bench/report/parts.ts"
import { CARD, figure, sampleReport } from "./sample-report.ts"

test("parts without anything to say are left out, and the last run is found by the card's identity", () => {
  const moved = { ...CARD, figures: [figure("matmul-fp32", 20e12)] }
  const other = { ...CARD, identity: "pci:0000:02:00.0", figures: [figure("matmul-fp32", 90e12)] }
  const parts = partsOf(sampleReport({ cards: [moved] }), sampleReport({ cards: [other, CARD] }))
  expect(parts.map(({ title }) => title)).toEqual([`Card ${CARD.name} (${CARD.identity}): sound`])
  expect(dropsOf(parts)).toEqual([`matmul-fp32 of Card ${CARD.name} (${CARD.identity}): sound`])
})

test("what the tests of soundness found is said in bytes and in results", () => {
  const test = { seconds: 10, range: null }
  const soundness = [
    { ...test, test: "vram-patterns" as const, checked: 2 ** 34, errors: 0 },
    { ...test, test: "repeated-kernel" as const, checked: 4096, errors: 2 },
  ]
  const [part] = partsOf(sampleReport({ cards: [{ ...CARD, soundness }] }), null)
  expect(part?.notes).toEqual([
    expect.stringMatching(/^of peak: /),
    "vram-patterns: no error in 16 GiB",
    "repeated-kernel: 2 ERRORS in 4096 results",
  ])
})
