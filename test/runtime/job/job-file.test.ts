import fc from "fast-check"
import { expect, test } from "vitest"
import { Fault } from "../../../src/protocol/fault.ts"
import { parseJobFile } from "../../../src/runtime/job/job-file.ts"

const TRAIN = `kind: train
name: king-james
image: zg-agent/trainer:cpu
text: kjv.txt
rounds: 4
pricePerShard: 0.25
`

test("a short train job takes the defaults", () => {
  expect(parseJobFile(TRAIN, "job.yaml")).toMatchObject({
    kind: "train",
    workers: 2,
    pricePerShard: 250_000,
    resources: { device: "cpu", cpus: 1 },
    outer: { learningRate: 0.7, momentum: 0.85 },
  })
})

const KEY = "0123456789abcdef".repeat(4)
const ROYALTIES = `royalties:
  - { to: "${KEY}", share: 2.5, for: letters of Ada }
`

test("a price per second and royalties are taken as they are written", () => {
  const text = TRAIN.replace("pricePerShard: 0.25", "pricePerSecond: 0.00012") + ROYALTIES
  expect(parseJobFile(text, "job.yaml")).toMatchObject({
    pricePerSecond: 120_000,
    royalties: [{ to: KEY, shareBasisPoints: 250, for: "letters of Ada" }],
  })
})

test("a job says how it is audited, or is not", () => {
  expect(parseJobFile(`${TRAIN}audit: { kind: spot, segments: 4 }\n`, "job.yaml")).toMatchObject({
    audit: { kind: "spot", segments: 4, drawn: 2, tolerance: null, share: 0 },
  })
  expect(parseJobFile(TRAIN, "job.yaml")).not.toHaveProperty("audit")
})

test.each([
  ["audits of no kind", `${TRAIN}audit: { kind: spit }\n`, "job.yaml:7: audit.kind:"],
  [
    "more drawn than there are",
    `${TRAIN}audit: { kind: spot, segments: 1, drawn: 2 }\n`,
    "job.yaml:7: audit: drawn cannot be more than segments",
  ],
  ["two prices", `${TRAIN}pricePerSecond: 0.1\n`, "give either pricePerShard or pricePerSecond"],
  ["no price", TRAIN.replace("pricePerShard: 0.25\n", ""), "give either pricePerShard or pricePerSecond"],
  ["a share too fine", TRAIN + ROYALTIES.replace("2.5", "2.505"), "at most two decimals"],
  ["too large a share", TRAIN + ROYALTIES.replace("2.5", "51"), "royalties.0.share"],
  [
    "shares of more than half",
    TRAIN + ROYALTIES + ROYALTIES.replace("royalties:\n", "").replace("2.5", "48"),
    "50 percent",
  ],
  ["an unknown field", `${TRAIN}workrs: 3\n`, "job.yaml:7: workrs is not a field of this kind of job"],
  ["a nested unknown field", `${TRAIN}outer:\n  momentun: 1\n`, "job.yaml:8: outer.momentun is not a field"],
  ["a wrong value", TRAIN.replace("rounds: 4", "rounds: many"), "job.yaml:5: rounds:"],
  ["a price too fine", TRAIN.replace("0.25", "0.00000001"), "job.yaml:6: pricePerShard: must be credits"],
  ["a missing field", TRAIN.replace("text: kjv.txt\n", ""), "job.yaml:1: text is missing"],
  [
    "all that is wrong",
    `${TRAIN.replace("rounds: 4", "rounds: many")}workrs: 3\n`,
    /:5: rounds: .*\njob.yaml:7: workrs/,
  ],
  ["an unknown kind", TRAIN.replace("kind: train", "kind: dance"), "job.yaml:1: kind:"],
  ["no YAML", "kind: [train", "job.yaml:1:"],
  ["an empty file", "", "job.yaml:1:"],
  ["an alias to nothing", "*anchor", "job.yaml:1: Unresolved alias"],
])("%s is told with its line", (_, text, message) => {
  expect(() => parseJobFile(text, "job.yaml")).toThrow(message)
})

test("no text makes it throw anything but a fault", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), text => {
      try {
        parseJobFile(text, "job.yaml")
      } catch (error) {
        expect(error).toBeInstanceOf(Fault)
      }
    }),
  )
})
