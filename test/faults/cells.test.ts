import fc from "fast-check"
import { expect, test } from "vitest"
import { cellsOf, leftOutOf, runsOf } from "./cells.ts"
import { between, chanceOf } from "./chance.ts"
import { FAULTS } from "./faults.ts"
import { MOMENTS } from "./moments.ts"
import { medianOf } from "./report.ts"

const all = { faults: FAULTS, moments: MOMENTS }
const cells = cellsOf(all)

test("every fault at every state is a cell, or is left out for a reason", () => {
  const left = leftOutOf(all, new Map()).flatMap(({ fault, moments, reason }) =>
    moments.map(moment => ({ name: `${fault} ${moment}`, reason })),
  )
  const names = [
    ...cells.map(({ fault, moment }) => `${fault.name} ${moment}`),
    ...left.map(({ name }) => name),
  ]
  expect(names.sort()).toEqual(
    FAULTS.flatMap(({ name }) => MOMENTS.map(moment => `${name} ${moment}`)).sort(),
  )
  expect(left.filter(({ reason }) => reason === "")).toEqual([])
})

test("what this machine cannot do is left out whole", () => {
  const why = new Map([["kill-agent", "nobody dies here"]])
  const left = leftOutOf({ faults: FAULTS.slice(0, 1), moments: MOMENTS }, why)
  expect(left).toEqual([{ fault: "kill-agent", moments: MOMENTS, reason: "nobody dies here" }])
})

test("so many runs as were asked for, no two alike, and each cell's turn before anyone's second", () => {
  const asked = fc.tuple(fc.integer({ min: 1, max: 700 }), fc.integer({ min: 0, max: 1000 }))
  fc.assert(
    fc.property(asked, ([count, seed]) => {
      const runs = runsOf(cells, count, seed)
      const names = runs.map(run => `${run.fault.name} ${run.moment} ${run.seed}`)
      expect(new Set(names).size).toBe(count)
      if (count >= cells.length)
        expect(new Set(runs.map(run => `${run.fault.name} ${run.moment}`)).size).toBe(cells.length)
      expect(runsOf(cells, count, seed)).toEqual(runs)
    }),
    { numRuns: 30 },
  )
})

test("slow faults get a seed in four", () => {
  const runs = runsOf(cells, 500, 1)
  const count = (name: string) => runs.filter(({ fault }) => fault.name === name).length
  expect(count("stall-agent") * 3).toBeLessThan(count("kill-agent"))
})

test("one cell can be had again by its seed alone", () => {
  const one = cells.filter(({ fault, moment }) => fault.name === "kill-agent" && moment === "ran")
  const [run] = runsOf(one, 1, 7)
  const among = runsOf(cells, 10 * cells.length, 1).find(
    ({ fault, moment, seed }) => fault.name === "kill-agent" && moment === "ran" && seed === 7,
  )
  expect(among).toEqual(run)
})

test("a seed's numbers stay, and lie where they should", () => {
  expect(chanceOf(1, "kill-agent", "ran")("strike")).toBe(chanceOf(1, "kill-agent", "ran")("strike"))
  expect(chanceOf(1, "kill-agent", "ran")("strike")).not.toBe(chanceOf(2, "kill-agent", "ran")("strike"))
  fc.assert(
    fc.property(fc.integer(), fc.string(), (seed, purpose) => {
      const number = between(3, 9, chanceOf(seed)(purpose))
      expect(number).toBeGreaterThanOrEqual(3)
      expect(number).toBeLessThanOrEqual(9)
    }),
  )
})

test("the median of none, one, an odd and an even number", () => {
  expect([[], [4], [1, 2, 9], [1, 2, 4, 9]].map(medianOf)).toEqual([null, 4, 2, 3])
})
