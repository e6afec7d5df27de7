import fc from "fast-check"
import { expect, test } from "vitest"
import { grouped, isRepeat, verdict } from "../../../src/marketplace/audit/verdict.ts"
import { chanceOf } from "../../faults/chance.ts"

const rules = { quorum: 2, lead: 6 }

/** One owner after the other: `"aab"` are three answers, of which the last differs. */
function answers(results: string) {
  return [...results].map((result, n) => ({ owner: `owner ${n}`, result }))
}

test("an auditor who agrees settles it", () => {
  expect(verdict(answers("aa"), rules)).toEqual({ kind: "agreed", result: "a", wrong: [] })
})

test("a quorum is waited for", () => {
  expect(verdict([], { quorum: 3, lead: 6 })).toEqual({ kind: "open", more: 3 })
  expect(verdict(answers("aa"), { quorum: 3, lead: 6 })).toEqual({ kind: "open", more: 1 })
  expect(verdict(answers("aaa"), { quorum: 3, lead: 6 })).toMatchObject({ kind: "agreed" })
})

test("one who differs starts a dispute, which either side wins by a lead of six", () => {
  expect(verdict(answers("ab"), rules)).toEqual({ kind: "open", more: 6 })
  expect(verdict(answers("aab"), rules)).toEqual({ kind: "open", more: 5 })
  const [claim, first] = answers("ab")
  expect(verdict(answers("abbbbbbb"), rules)).toEqual({ kind: "agreed", result: "b", wrong: [claim] })
  expect(verdict(answers("abaaaaaa"), rules)).toEqual({ kind: "agreed", result: "a", wrong: [first] })
})

test("with a lead of one, two of three decide", () => {
  expect(verdict(answers("abb"), { quorum: 2, lead: 1 })).toMatchObject({ kind: "agreed", result: "b" })
})

test("where no two agree, as a program without fixed results has it, nobody is wrong", () => {
  expect(verdict(answers("abcdefghijk"), rules)).toEqual({ kind: "open", more: 6 })
})

test("an owner who answers twice is a bug", () => {
  const [one] = answers("a")
  expect(() => verdict([one, one] as never, rules)).toThrow("twice")
})

test("so many more answers as it says, and no fewer, settle it", () => {
  const results = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 20 })
  fc.assert(
    fc.property(
      results,
      fc.integer({ min: 2, max: 7 }),
      fc.integer({ min: 1, max: 9 }),
      (given, quorum, lead) => {
        const before = answers(given.join(""))
        const found = verdict(before, { quorum, lead })
        if (found.kind === "agreed") {
          const sizes = ["a", "b", "c"].map(one => given.filter(result => result === one).length).sort()
          expect(given.filter(result => result === found.result).length).toBe(sizes[2])
          expect(found.wrong.length).toBe(given.length - (sizes[2] as number))
          return
        }
        const after = (more: number) =>
          ["a", "b", "c"].map(
            result => verdict([...before, ...answers(result.repeat(more)).map(late)], { quorum, lead }).kind,
          )
        expect(after(found.more)).toContain("agreed")
        expect(after(found.more - 1)).not.toContain("agreed")
      },
    ),
  )
})

const late = (answer: { owner: string; result: string }) => ({ ...answer, owner: `late ${answer.owner}` })

test("a ring of a fifth wins a dispute as rarely as gambler's ruin says", () => {
  const random = chanceOf(1, "dispute")
  const disputes = 5000
  let won = 0
  for (let n = 0; n < disputes; n++) {
    let said = "ab"
    let found = verdict(answers(said), { quorum: 2, lead: 2 })
    while (found.kind === "open") {
      said += random(`${n} ${said.length}`) < 0.2 ? "b" : "a"
      found = verdict(answers(said), { quorum: 2, lead: 2 })
    }
    if (found.result === "b") won++
  }
  // 1/17 of 5000 is 294, give or take 17.
  expect(Math.abs(won - disputes / 17)).toBeLessThan(3 * 17)
})

const near = (a: number, b: number) => Math.abs(a - b) <= 3

test("results are grouped around the one that most others are alike to", () => {
  expect(grouped([0, 2, 10, 3, 5, 12, 4], near)).toEqual([1, 1, 2, 1, 1, 2, 1])
  expect(grouped([0, 9, 4], near)).toEqual([0, 1, 2])
  expect(grouped([], near)).toEqual([])
  expect(grouped([Number.NaN, 1, Number.NaN], near)).toEqual([0, 1, 2])
})

test("a claim at the tolerance's edge does not make an honest result on the other side wrong", () => {
  const said = [2, 0, 1, 0, -2, 0, 1, 0]
  const results = grouped(said, near)
  const found = verdict(
    results.map((result, n) => ({ owner: `owner ${n}`, result })),
    rules,
  )
  expect(near(said[0] as number, said[4] as number)).toBe(false)
  expect(found).toMatchObject({ kind: "agreed", wrong: [] })
})

test("the same outputs of another spec are a repeat; of the same spec they are a copy that was ordered", () => {
  const earlier = [{ spec: "one", result: "x" }]
  expect(isRepeat({ spec: "two", result: "x" }, earlier)).toBe(true)
  expect(isRepeat({ spec: "one", result: "x" }, earlier)).toBe(false)
  expect(isRepeat({ spec: "two", result: "y" }, earlier)).toBe(false)
})
