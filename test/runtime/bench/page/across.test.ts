import { expect, test } from "vitest"
import { across } from "../../../../src/runtime/bench/page/across.ts"
import { CARD, figure } from "../report/sample-report.ts"

const card = (flops: number | null, name = "a") => {
  return { ...CARD, name, figures: flops === null ? [] : [figure("matmul-fp32", flops)] }
}
const lacks = (...cards: ReturnType<typeof card>[]) => across(cards, "matmul-fp32").map(({ lack }) => lack)

test("a card that is a tenth behind the middle one of its model stands out", () => {
  expect(lacks(card(100), card(78), card(101), card(95))).toEqual([null, expect.closeTo(0.22), null, null])
})

test("other models are no measure, and two cards say nothing about each other", () => {
  expect(lacks(card(100), card(100), card(10, "b"), card(50))).toEqual([null, null, null, 0.5])
  expect(lacks(card(100), card(50), card(10, "b"))).toEqual([null, null, null])
})

test("a card without the figure keeps its place", () => {
  expect(across([card(100), card(null), card(99)], "matmul-fp32").map(({ alone }) => alone?.median)).toEqual([
    100,
    undefined,
    99,
  ])
})

test("what was measured with all cards at work stands beside it", () => {
  const together = [figure("matmul-fp32", 90)]
  expect(across([{ ...card(100), together }], "matmul-fp32")[0]?.together?.median).toBe(90)
})
