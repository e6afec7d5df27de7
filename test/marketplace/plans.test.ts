import { spawnSync } from "node:child_process"
import { join } from "node:path"
import fc from "fast-check"
import { expect, test } from "vitest"
import { evaluatedBy, lossIn } from "../../src/marketplace/plans/losses.ts"
import { checkJob, plan, results, total } from "../../src/marketplace/plans/plan.ts"
import type { PlannedShard } from "../../src/marketplace/plans/planned.ts"
import {
  compareArgv,
  finishArgv,
  replayArgv,
  segmentsOf,
  trainArgv,
  warmUpArgv,
} from "../../src/marketplace/plans/trainer.ts"
import type { NamedBlob } from "../../src/protocol/digest.ts"
import type { JobSpec } from "../../src/protocol/job.ts"
import { ShardSpec } from "../../src/protocol/shard-spec.ts"
import { skip } from "../contract/skip.ts"
import { batchJob } from "../contract/work.ts"
import { slice, trainJob } from "./jobs.ts"

/** Settles planned shards until none is left; `pick` chooses which of the ready ones is next. */
function walk(job: JobSpec, pick: (ready: PlannedShard[]) => PlannedShard | undefined = ready => ready[0]) {
  const settled = new Map<string, NamedBlob[]>()
  const order: PlannedShard[] = []
  for (let next = pick(plan(job, settled)); next; next = pick(plan(job, settled))) {
    const { label, spec } = next
    settled.set(
      label,
      spec.outputs.map(name => ({ name, ...slice(`${label}/${name}`) })),
    )
    order.push(next)
  }
  return { settled, order }
}

const job = trainJob(["a", "b", "c"], "held")
const inputsOf = (order: PlannedShard[], label: string) =>
  order.find(shard => shard.label === label)?.spec.inputs.map(({ name }) => name)

test("a train job walks its rounds", () => {
  const { order } = walk(job)
  expect(order.map(({ label }) => label)).toEqual([
    "untrained",
    "warm-up",
    "warm-up/evaluate",
    "round-1/train-0",
    "round-1/train-1",
    "round-1/reduce",
    "round-1/evaluate",
    "round-2/train-0",
    "round-2/train-1",
    "round-2/reduce",
    "round-2/evaluate",
  ])
  expect(order.map(({ index }) => index)).toEqual(order.map((_, index) => index))
  expect(order).toHaveLength(total(job))
  for (const { spec } of order) ShardSpec.parse(spec)
})

test("at first only what needs no parameters is ready, and evaluations run beside the next round", () => {
  expect(plan(job, new Map()).map(({ label }) => label)).toEqual(["untrained", "warm-up"])
  const { order } = walk(job, ready => ready.findLast(({ label }) => !label.endsWith("evaluate")) ?? ready[0])
  expect(order.at(-1)?.label).toContain("evaluate")
  expect(order).toHaveLength(total(job))
})

test("each shard gets its own inputs", () => {
  const { order } = walk(job)
  expect(inputsOf(order, "untrained")).toEqual(["held-out"])
  expect(inputsOf(order, "warm-up")).toEqual(["text-0000", "text-0001", "text-0002"])
  expect(inputsOf(order, "round-1/train-0")).toEqual([
    "parameters.safetensors",
    "optimizer.safetensors",
    "text-0000",
    "text-0002",
  ])
  expect(inputsOf(order, "round-1/train-1")?.slice(2)).toEqual(["text-0001"])
  const updates = ["update-0.safetensors", "update-1.safetensors"]
  expect(inputsOf(order, "round-1/reduce")).toEqual(["parameters.safetensors", ...updates])
  expect(inputsOf(order, "round-2/reduce")).toEqual([
    "parameters.safetensors",
    "momentum.safetensors",
    ...updates,
  ])
  const second = order.find(({ label }) => label === "round-2/train-0")
  expect(second?.spec.inputs[0]).toMatchObject(slice("round-1/reduce/parameters.safetensors"))
})

test("whatever the order, every shard is planned once, under one index, with the same spec", () => {
  const fixed = new Map(walk(job).order.map(shard => [shard.label, shard]))
  fc.assert(
    fc.property(fc.infiniteStream(fc.nat()), choices => {
      const { order } = walk(job, ready => ready[(choices.next().value as number) % ready.length])
      expect(new Set(order.map(({ label }) => label)).size).toBe(total(job))
      for (const shard of order) expect(shard).toEqual(fixed.get(shard.label))
    }),
    { numRuns: 50 },
  )
})

test("results are the last parameters, both samples and the last metrics", () => {
  const { settled } = walk(job)
  expect(results(job, settled)).toEqual([
    { name: "parameters.safetensors", ...slice("round-2/reduce/parameters.safetensors") },
    { name: "sample.txt", ...slice("round-2/evaluate/sample.txt") },
    { name: "untrained-sample.txt", ...slice("untrained/sample.txt") },
    { name: "metrics.json", ...slice("round-2/evaluate/metrics.json") },
  ])
})

const spot = (segments: number) => ({ kind: "spot", segments, drawn: 1, tolerance: null, share: 0 }) as const
const specOf = (order: PlannedShard[], label: string) => order.find(shard => shard.label === label)?.spec

test("shards that take steps are cut into segments where audits draw some, and tell of them", () => {
  const { order } = walk({ ...job, audit: spot(3) })
  const [warmUp, train] = [specOf(order, "warm-up"), specOf(order, "round-2/train-1")]
  expect(warmUp).toMatchObject({ segments: "kept", outputs: expect.arrayContaining(["run-log.jsonl"]) })
  expect(train).toMatchObject({ segments: "kept", outputs: expect.arrayContaining(["run-log.jsonl"]) })
  expect(warmUp?.command.argv).toContain("--segment-steps=7")
  expect(train?.command.argv).toContain("--segment-steps=2")
  const whole = order.filter(({ spec }) => spec.segments === undefined)
  expect(whole.map(({ label }) => label.split("/").at(-1))).toEqual([
    ...["untrained", "evaluate", "reduce", "evaluate", "reduce", "evaluate"],
  ])
  for (const { spec } of order) ShardSpec.parse(spec)
  for (const audit of [undefined, spot(1), { kind: "replicate", copies: 2, quorum: 2, share: 0 } as const])
    expect(walk({ ...job, ...(audit && { audit }) }).order.map(({ spec }) => segmentsOf(spec))).toEqual(
      Array(total(job)).fill(null),
    )
})

test("a shard has as many segments as its steps fill, never more than were asked for", () => {
  const segments = fc.integer({ min: 2, max: 1024 })
  fc.assert(
    fc.property(segments, fc.integer({ min: 1, max: 5000 }), (asked, steps) => {
      const spec = specOf(
        plan({ ...job, audit: spot(asked), warmUp: { ...job.warmUp, steps } }, new Map()),
        "warm-up",
      )
      const count = segmentsOf(spec as ShardSpec)
      const each = Math.ceil(steps / asked)
      expect(count).toBeLessThanOrEqual(asked)
      expect([(count as number) * each >= steps, ((count as number) - 1) * each < steps]).toEqual([
        true,
        true,
      ])
    }),
  )
})

test("an audit replays the shard's own command line", () => {
  const argv = trainArgv(job, 2, 1)
  expect(replayArgv(argv, 3)).toEqual([
    "python3",
    "-m",
    "trainer",
    "replay",
    "train",
    ...argv.slice(4),
    "--segment=3",
  ])
  expect(finishArgv("warm-up").slice(3)).toEqual(["finish", "warm-up"])
  expect(compareArgv(1e-7).slice(3)).toEqual(["compare", "--tolerance=1e-7"])
})

test("the trainer understands every command line of the plan and of an audit", context => {
  const trainer = join(import.meta.dirname, "../../images/trainer")
  const program =
    "import json, sys; from trainer.arguments import parse\nfor a in json.load(sys.stdin): parse(a)"
  const found = spawnSync("python3", ["-c", "import argparse"])
  if (found.error) skip(context, "there is no python3 to run the trainer's own parser with")
  const planned = [job, trainJob(["a", "b"], "h", { sample: { prompt: "", bytes: 0 }, audit: spot(4) })]
    .flatMap(one => walk(one).order)
    .map(({ spec }) => spec.command.argv)
  const audited = { ...job, audit: spot(2) }
  const replays = [warmUpArgv(audited), trainArgv(audited, 1, 0)].map(argv => replayArgv(argv, 0))
  const audits = [...replays, finishArgv("warm-up"), finishArgv("train"), compareArgv(1e-4)]
  const lines = [...planned, ...audits].map(argv => {
    expect(argv.slice(0, 3)).toEqual(["python3", "-m", "trainer"])
    return argv.slice(3)
  })
  const env = { ...process.env, PYTHONPATH: trainer, PYTHONDONTWRITEBYTECODE: "1" }
  const run = spawnSync("python3", ["-c", program], { input: JSON.stringify(lines), env, encoding: "utf8" })
  expect([run.status, run.stderr]).toEqual([0, ""])
})

test("a batch is all ready at once, and its results carry the shard's name", () => {
  const batch = batchJob(3)
  expect(plan(batch, new Map()).map(({ label }) => label)).toEqual(["shard-0", "shard-1", "shard-2"])
  const { settled } = walk(batch)
  expect(results(batch, settled).map(({ name }) => name)).toEqual([
    "shard-0.out.txt",
    "shard-1.out.txt",
    "shard-2.out.txt",
  ])
})

test.each<[string, JobSpec]>([
  ["heads that do not divide the width", trainJob(["a", "b"], "h", { model: { ...job.model, heads: 5 } })],
  ["more workers than slices", trainJob(["a"], "h")],
  ["too many slices for one shard", trainJob(Array(1023).fill("a"), "h")],
  [
    "a momentum that never slows down",
    trainJob(["a", "b"], "h", { outer: { learningRate: 1, momentum: 1 } }),
  ],
  ["a batch whose segments are to be drawn", batchJob(1, { audit: spot(2) })],
  [
    "segments of checkpoints that travel",
    trainJob(["a", "b"], "h", { audit: spot(2), checkpoints: "travel" }),
  ],
  ["a price beyond exact integers", batchJob(3, { pricePerShard: (2 ** 52) as never })],
])("%s is refused", (_, bad) => {
  expect(() => checkJob(bad)).toThrow(/The job is refused/)
})

test.each<[string, JobSpec]>([
  ["a batch whose shards are run again whole", batchJob(1, { audit: spot(1) })],
  ["checkpoints that travel", trainJob(["a", "b"], "h", { audit: spot(1), checkpoints: "travel" })],
  ["segments to draw from", trainJob(["a", "b"], "h", { audit: spot(10) })],
])("%s is taken", (_, good) => {
  expect(() => checkJob(good)).not.toThrow()
})

test("losses are read from evaluations only", () => {
  expect(["untrained", "warm-up/evaluate", "round-3/evaluate", "round-3/reduce"].map(evaluatedBy)).toEqual([
    "untrained",
    "warm-up",
    "round-3",
    null,
  ])
  expect([lossIn('{"loss": 2.5, "bytes": 3}'), lossIn('{"loss": "low"}'), lossIn("{")]).toEqual([
    2.5,
    null,
    null,
  ])
})

test("rounds are reduced with momentum, the last one by the plain mean", () => {
  const reduces = walk(job).order.filter(({ label }) => label.endsWith("/reduce"))
  expect(reduces.map(({ spec }) => spec.command.argv.slice(4))).toEqual([
    ["--outer-learning-rate=0.7", "--outer-momentum=0.9"],
    ["--outer-learning-rate=1", "--outer-momentum=0"],
  ])
})
