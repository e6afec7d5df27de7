import { expect, test } from "vitest"
import { type Audited, furtherAnswers, mostOfAudits } from "../../../src/marketplace/audit/cost.ts"
import { MicroCredits } from "../../../src/protocol/credits.ts"

const PRICE = 1_000_000
const about = { price: { per: "shard", amount: MicroCredits.parse(PRICE) }, timeMs: 600_000 } as const
const spot = { kind: "spot", segments: 10, drawn: 2, tolerance: null, share: 0 } as const

test.each<[string, Audited["audit"], { whole: number; cut: number }, number]>([
  ["nothing without a policy", undefined, { whole: 5, cut: 5 }, 0],
  ["nothing for none", { kind: "none" }, { whole: 5, cut: 5 }, 0],
  ["each further copy", { kind: "replicate", copies: 3, quorum: 2, share: 0 }, { whole: 4, cut: 0 }, 8],
  ["one more run for a canary", { kind: "canary", share: 0 }, { whole: 4, cut: 0 }, 4],
  // Of ten segments there may be five: each a fifth, two drawn and the finish.
  ["drawn segments and the finish", spot, { whole: 3, cut: 10 }, 3 + 10 * 0.6],
  ["a comparison of each, with a tolerance", { ...spot, tolerance: 0.001 }, { whole: 0, cut: 10 }, 10 * 1],
])("the first audits of shards cost %s", (_, audit, shards, prices) => {
  expect(mostOfAudits({ audit, ...about, ...shards })).toBeCloseTo(prices * PRICE, 6)
})

test("further answers are six runs of a shard, where anything is audited", () => {
  expect(furtherAnswers({ audit: spot, ...about })).toBe(6 * PRICE)
  expect(furtherAnswers({ audit: undefined, ...about })).toBe(0)
})
