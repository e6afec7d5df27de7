import { expect, test } from "vitest"
import { togetherRemarks } from "../../../../src/runtime/bench/report/together-remarks.ts"
import { figure } from "./sample-report.ts"

test("a card that loses its speed when the others work is told, with what to look at", () => {
  const figures = [figure("matmul-fp32", 40e12), figure("memory-copy", 900e9)]
  const together = [figure("matmul-fp32", 30e12), figure("memory-copy", 890e9)]
  expect(togetherRemarks({ figures, together })).toEqual([
    expect.stringMatching(/^Slower with all cards at work: matmul-fp32 by 25 %\. .*power supply/),
  ])
})

test("a bus that the cards share, and a loss within a tenth, are no remark", () => {
  const figures = [figure("host-to-device", 8e9), figure("device-to-host", 8e9), figure("matmul-fp32", 40e12)]
  const together = [
    figure("host-to-device", 1e9),
    figure("device-to-host", 1e9),
    figure("matmul-fp32", 37e12),
  ]
  expect(togetherRemarks({ figures, together })).toEqual([])
  expect(togetherRemarks({ figures, together: [] })).toEqual([])
})
