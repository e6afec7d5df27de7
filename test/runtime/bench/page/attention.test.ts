import { expect, test } from "vitest"
import { noticesOf } from "../../../../src/runtime/bench/page/attention.ts"
import { figure, sampleReport } from "../report/sample-report.ts"
import { rig, rigBefore } from "./rig.ts"

const said = (notices: ReturnType<typeof noticesOf>) => notices.map(({ anchor, what }) => `${anchor} ${what}`)

test("the gravest comes first, and each leads to where more is told", () => {
  const jail = { passed: false, testedOn: "2026-02-27T18:03:10.000Z", engine: "docker", runtime: "runc" }
  expect(said(noticesOf(rig({ jail }), rigBefore()))).toEqual([
    expect.stringMatching(/^card-4 This card computes or remembers wrongly/),
    "sandbox A hostile container got out of it.",
    "card-6 Nothing certain is known of it.",
    "card-2 Held back for 43 % of its long run, and not by its power limit.",
    "card-2 Behind the other cards of its model in 5 of 7 figures, by 22 % at most.",
    "card-2 Worse than on 2026-02-01 08:00 UTC in 5 of 7 figures, by 22 % at most.",
  ])
})

test("a host that got slower is pointed out, and what got better is not", () => {
  const host = sampleReport().host
  const run = (flops: number, bytes: number) => {
    const figures = [figure("cpu-matmul-fp32-wasm-one-core", flops), figure("cpu-sha256-one-core", bytes)]
    return sampleReport({ host: { ...host, figures } })
  }
  expect(said(noticesOf(run(60, 200), run(100, 100)))).toEqual([
    "host Worse than on 2026-01-01 00:00 UTC in 1 of 2 figures, by 40 %.",
  ])
})

test("a figure that cannot be is pointed out", () => {
  const [card] = sampleReport().cards
  const figures = [figure("matmul-fp32", 500e12)]
  const report = sampleReport({ cards: card ? [{ ...card, figures }] : [] })
  expect(said(noticesOf(report, null))).toEqual([
    expect.stringMatching(/^card-0 matmul-fp32 cannot be \d+ %/),
  ])
})

test("where all is well nothing is said", () => {
  expect(noticesOf(sampleReport(), null)).toEqual([])
})
