import fc from "fast-check"
import { expect, test } from "vitest"
import { digestOf } from "../../../../src/protocol/digest.ts"
import { Rule } from "../../../../src/protocol/message.ts"
import { Limits } from "../../../../src/protocol/shard-spec.ts"
import { BOUND_NAMES, BOUNDS } from "../../../../src/runtime/host/rules/bounds.ts"
import { judge, ruleTold, signaturesDue } from "../../../../src/runtime/host/rules/judge.ts"
import { DEFAULT_RULES, type Rules } from "../../../../src/runtime/host/rules/rules.ts"
import { MARKET, specOf } from "./sample.ts"

const rulesWith = (limits: Partial<Rules["limits"]>): Rules => ({
  ...DEFAULT_RULES,
  limits: { ...DEFAULT_RULES.limits, ...limits },
})

test("the defaults let a shard with the protocol's own defaults run", () => {
  expect(judge(specOf(), DEFAULT_RULES, MARKET)).toBeNull()
})

test("a refusal names the rule, what was asked and what is allowed", () => {
  const spec = specOf({ limits: { outMiB: 8192 } })
  expect(judge(spec, rulesWith({ outMiB: 4096 }), MARKET)).toEqual({
    rule: "limits.outMiB",
    asked: "8192 MiB",
    allowed: "4096 MiB",
    message: "it asks for 8192 MiB, the owner allows 4096 MiB",
  })
  expect(judge(spec, rulesWith({ outMiB: 8192 }), MARKET)).toBeNull()
})

test("inputs count together, and one byte too many is too many", () => {
  const input = (name: string, size: number) => ({ name, digest: digestOf(name), size })
  const spec = (extra: number) => specOf({ inputs: [input("a", 3 << 20), input("b", (1 << 20) + extra)] })
  expect(judge(spec(0), rulesWith({ inputsMiB: 4 }), MARKET)).toBeNull()
  expect(judge(spec(1), rulesWith({ inputsMiB: 4 }), MARKET)).toMatchObject({
    rule: "limits.inputsMiB",
    asked: "4.1 MiB",
  })
})

test("an image that is not on the list is refused, and the list is not told", () => {
  const rules: Rules = { ...DEFAULT_RULES, images: { ...DEFAULT_RULES.images, allow: ["ghcr.io/acme/*"] } }
  const image = (name: string) => specOf({ image: { name, digest: digestOf("image") } })
  expect(judge(image("ghcr.io/acme/net"), rules, MARKET)).toBeNull()
  const refusal = judge(image("ghcr.io/evil/net"), rules, MARKET)
  expect(refusal).toMatchObject({ rule: "images.allow", asked: "ghcr.io/evil/net" })
  expect(JSON.stringify(refusal)).not.toContain("acme")
  expect(judge(image("acme/net"), rules, MARKET)).toMatchObject({ asked: "market/acme/net" })
  const none: Rules = { ...rules, images: { ...rules.images, allow: [] } }
  expect(judge(image("ghcr.io/acme/net"), none, MARKET)).toMatchObject({ rule: "images.allow" })
})

test("a rule can say as much as the protocol lets a spec ask for, and no more", () => {
  for (const name of BOUND_NAMES) {
    if (name === "inputsMiB") continue
    const { most } = BOUNDS[name]
    const asking = (value: number) =>
      Limits.safeParse(name === "timeMinutes" ? { timeMs: value * 60_000 } : { [name]: value }).success
    expect([asking(most), asking(most + 1)], name).toEqual([true, false])
  }
})

const spec = fc
  .record({
    timeMs: fc.integer({ min: 1000, max: 86_400_000 }),
    pids: fc.integer({ min: 1, max: 4096 }),
    openFiles: fc.integer({ min: 16, max: 65_536 }),
    tmpMiB: fc.integer({ min: 1, max: 4096 }),
    shmMiB: fc.integer({ min: 1, max: 65_536 }),
    outMiB: fc.integer({ min: 1, max: 65_536 }),
    checkpointMiB: fc.integer({ min: 1, max: 65_536 }),
    logMiB: fc.integer({ min: 1, max: 64 }),
  })
  .map(limits => specOf({ limits }))
const limits = fc.record(
  Object.fromEntries(BOUND_NAMES.map(name => [name, fc.integer({ min: 1, max: BOUNDS[name].most })])),
) as fc.Arbitrary<Rules["limits"]>

test("nothing over a limit is let through, nothing within all of them is refused, and the rule named is broken", () => {
  fc.assert(
    fc.property(spec, limits, (spec, limits) => {
      const broken = BOUND_NAMES.filter(name => BOUNDS[name].asked(spec) > limits[name])
      const refusal = judge(spec, rulesWith(limits), MARKET)
      if (broken.length === 0) expect(refusal).toBeNull()
      else expect(broken.map(name => `limits.${name}`)).toContain(refusal?.rule)
      if (refusal) expect(Rule.safeParse(ruleTold(refusal)).success).toBe(true)
    }),
  )
})

test("whatever the protocol takes, the widest rules take", () => {
  const widest = Object.fromEntries(BOUND_NAMES.map(name => [name, BOUNDS[name].most])) as Rules["limits"]
  fc.assert(fc.property(spec, spec => judge(spec, rulesWith(widest), MARKET) === null))
})

test("every signature rule whose pattern names the image is due, however the marketplace's registry is spelt", () => {
  const rule = (images: string) => ({ images, keys: [] })
  const signedBy = [rule("market"), rule("ghcr.io/acme/*"), rule("**")]
  const rules: Rules = { ...DEFAULT_RULES, images: { ...DEFAULT_RULES.images, signedBy } }
  const due = (name: string) =>
    signaturesDue(specOf({ image: { name, digest: digestOf("image") } }).image, rules, MARKET).map(
      ({ images }) => images,
    )
  expect(due("team/net")).toEqual(["market", "**"])
  expect(due(`${MARKET}/team/net`)).toEqual(["market", "**"])
  expect(due("ghcr.io/acme/net")).toEqual(["ghcr.io/acme/*", "**"])
})
