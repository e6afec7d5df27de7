import { expect, test } from "vitest"
import type { Conduct } from "../../../benchmarks/audit/agent.ts"
import { playCareers, playPopulation } from "../../../benchmarks/audit/scenarios.ts"
import type { Rules } from "../../../benchmarks/audit/world.ts"
import { AUDIT_DEFAULTS as terms } from "../../../src/marketplace/audit/terms.ts"

const rules: Rules = { terms, segments: 10, drawn: 2, tolerance: 0, drift: 0 }
const tenth = { shards: 0.1, segments: 10 }

test.each<[string, Conduct, boolean]>([
  ["skips a segment now and then", { cheats: { shards: 0.1, segments: 1 } }, false],
  ["skips whole shards", { cheats: tenth }, false],
  ["begins as a new identity", { cheats: tenth }, true],
  ["hands in others' outputs", { cheats: tenth, repeats: true }, false],
])("a host that %s until it is found has earned less than by honest work", (_, conduct, isNew) => {
  const { found, behind, gainOfCheat, accused } = playCareers({ conduct, careers: 100, isNew }, rules, 1)
  expect(found).toBe(1)
  expect(behind).toBeGreaterThanOrEqual(0.97)
  expect(gainOfCheat).toBeLessThan(0)
  expect(accused).toBe(0)
})

test("what lies within the tolerance is never found, and twice as much is", () => {
  const tolerant = { ...rules, tolerance: 0.03, drift: 0.005 }
  const distanceOf = (distance: number) => ({ conduct: { cheats: tenth, distance }, careers: 1 })
  expect(playCareers(distanceOf(0.01), tolerant, 1)).toMatchObject({ found: 0, behind: 0 })
  expect(playCareers(distanceOf(0.06), tolerant, 1)).toMatchObject({ found: 1, accused: 0 })
})

test.each(["vouches", "slanders"] as const)(
  "a ring of a fifth that %s loses, and no honest host does",
  asAuditor => {
    const member: Conduct = {
      ...{ ring: "ring", asAuditor },
      ...(asAuditor === "vouches" && { cheats: tenth }),
    }
    const conduct = (n: number) => (n < 10 ? member : {})
    const { accused, failures, gainOfShard } = playPopulation({ size: 50, shards: 10_000, conduct }, rules, 1)
    expect(accused).toBe(0)
    expect(failures).toBeGreaterThan(0)
    expect(gainOfShard).toBeLessThan(0)
  },
)

test("where two of three decided, a slandering ring of a fifth would have honest hosts fail", () => {
  const conduct = (n: number): Conduct => (n < 40 ? { ring: "ring", asAuditor: "slanders" } : {})
  const plan = { size: 200, shards: 20_000, conduct }
  expect(playPopulation(plan, { ...rules, terms: { ...terms, lead: 1 } }, 1).accused).toBeGreaterThan(0)
})

test("honest hosts are never held to be wrong, at a few percent of their work", () => {
  const plan = { size: 50, shards: 10_000, conduct: () => ({}) }
  const whole = { ...rules, segments: 1, drawn: 1 }
  expect(playPopulation(plan, rules, 1)).toMatchObject({ accused: 0, disputes: 0, undecided: 0 })
  expect(playPopulation(plan, whole, 1).overhead).toBeLessThan(0.1)
})

test("where all are new, they audit each other, and come to an end", () => {
  const plan = { size: 10, shards: 500, conduct: () => ({}), areNew: true }
  const { undecided, overhead } = playPopulation(plan, rules, 1)
  expect(undecided).toBe(0)
  expect(overhead).toBeLessThan(0.5)
})
