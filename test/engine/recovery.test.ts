import { afterAll, beforeAll, expect, test } from "vitest"
import { bundleDigest } from "../../src/protocol/statement.ts"
import { sweep } from "../../src/runtime/shard/clean.ts"
import { walk } from "../../src/runtime/shard/road.ts"
import type { OpenState, Running, ShardState } from "../../src/runtime/shard/state.ts"
import { stepsOver } from "../../src/runtime/shard/steps.ts"
import { type Bench, engineOrReason, makeBench, outputText, walkToEnd } from "./bench.ts"

const engine = await engineOrReason()
if (typeof engine === "string") process.stderr.write(`engine tests are skipped: ${engine}\n`)

let bench: Bench
beforeAll(async () => {
  if (typeof engine !== "string") bench = await makeBench(engine)
}, 120_000)
afterAll(() => bench?.close(), 60_000)

const OPEN_STEPS = ["leased", "prepared", "running", "ran", "proved"] as const
const limit = () => AbortSignal.timeout(60_000)
const quick = { argv: ["sh", "-c", "echo done > /shard/out/result.txt"] }

/** The one shard that the journal holds open. */
function openShard(): OpenState {
  const [shard, ...others] = bench.journal.open()
  if (shard === undefined || others.length > 0) throw new Error("one open shard was expected")
  return shard
}

test.skipIf(typeof engine === "string").for(OPEN_STEPS)(
  "a shutdown when a shard is %s stops its container, and the next start walks on to one receipt",
  async (step, { expect }) => {
    const stop = new AbortController()
    const shutdown = new Error("shutdown")
    const record = async (state: ShardState) => {
      await bench.journal.record(state)
      if (state.step === step) stop.abort(shutdown)
    }
    const before = bench.proofs.length
    await expect(walk(bench.lease(quick), stepsOver(bench.ports), record, stop.signal)).rejects.toBe(shutdown)
    expect(await bench.ports.engine.find({ home: bench.ports.home }, limit())).toEqual([])
    expect(openShard().step).toBe(step)
    const { end } = await walkToEnd(bench, openShard())
    expect(end.step).toBe("settled")
    expect(bench.proofs.length - before).toBe(1)
    expect(bench.journal.open()).toEqual([])
  },
)

test
  .skipIf(typeof engine === "string")
  .for(OPEN_STEPS.flatMap(step => [[step, "after"] as const, [step, "before"] as const]))(
  "a crash when a shard has become %s, %s the journal has it, costs nothing and doubles nothing",
  async ([step, when], { expect }) => {
    const crash = new Error("crash")
    const record = async (state: ShardState) => {
      if (state.step === step && when === "before") throw crash
      await bench.journal.record(state)
      if (state.step === step && when === "after") throw crash
    }
    const shard = bench.lease(quick)
    const walking = walk(shard, stepsOver(bench.ports), record, limit())
    await expect(walking).rejects.toBe(crash)
    // Before the first entry there is nothing to recover: the marketplace sends the lease again.
    const { end } = await walkToEnd(bench, step === "leased" && when === "before" ? shard : openShard())
    if (end.step !== "settled") throw new Error("not settled")
    const mine: string[] = []
    for await (const { assignment, bundle } of bench.ports.archive.list())
      if (assignment.lease.id === shard.assignment.lease.id) mine.push(bundleDigest(bundle))
    expect(mine).toEqual([end.proof])
    expect(await bench.ports.engine.find({ home: bench.ports.home }, limit())).toEqual([])
  },
)

test.skipIf(typeof engine === "string")("a running container is found again after a crash", async () => {
  const crash = new Error("crash")
  let first: Running | null = null
  const record = async (state: ShardState) => {
    await bench.journal.record(state)
    if (state.step !== "running") return
    first = state
    throw crash
  }
  const shard = bench.lease({ argv: ["sh", "-c", "sleep 2; echo once >> /shard/out/result.txt"] })
  await expect(walk(shard, stepsOver(bench.ports), record, limit())).rejects.toBe(crash)
  await sweep(bench.journal.open(), bench.ports, limit())
  const { seen, ran } = await walkToEnd(bench, openShard())
  expect(seen[0]).toEqual(first)
  expect(seen.map(({ step }) => step)).toEqual(["running", "ran", "proved", "settled"])
  expect(await outputText(bench, ran.outputs[0]?.digest as never)).toBe("once\n")
})

test.skipIf(typeof engine === "string")("a container that is gone is run again", async () => {
  const crash = new Error("crash")
  const record = async (state: ShardState) => {
    await bench.journal.record(state)
    if (state.step === "running") throw crash
  }
  await expect(walk(bench.lease(quick), stepsOver(bench.ports), record, limit())).rejects.toBe(crash)
  await bench.ports.engine.removeAll({ home: bench.ports.home }, limit())
  const { seen, end } = await walkToEnd(bench, openShard())
  expect(seen.map(({ step }) => step)).toEqual(["running", "prepared", "running", "ran", "proved", "settled"])
  expect(end.step).toBe("settled")
})

test.skipIf(typeof engine === "string")(
  "a shutdown lets the shard write a checkpoint, from which it goes on",
  async () => {
    const program = `
    if [ -f /shard/checkpoint/step ]; then cp /shard/checkpoint/step /shard/out/result.txt; exit 0; fi
    trap 'echo 7 > /shard/checkpoint/step; exit 85' TERM
    echo '{"step":7,"steps":9}'
    while :; do sleep 0.1; done`
    const stop = new AbortController()
    const { onProgress } = bench.ports
    bench.ports.onProgress = () => stop.abort(new Error("shutdown"))
    const shard = bench.lease({ argv: ["sh", "-c", program] })
    await expect(walkToEnd(bench, shard, stop.signal)).rejects.toThrow("shutdown")
    bench.ports.onProgress = onProgress
    const { ran } = await walkToEnd(bench, openShard())
    expect(await outputText(bench, ran.outputs[0]?.digest as never)).toBe("7\n")
  },
)

test.skipIf(typeof engine === "string")(
  "a shard that ends itself with a checkpoint goes on by itself",
  async () => {
    const program = `
    if [ -f /shard/checkpoint/once ]; then echo twice > /shard/out/result.txt; exit 0; fi
    echo > /shard/checkpoint/once; exit 85`
    const { seen, ran } = await walkToEnd(bench, bench.lease({ argv: ["sh", "-c", program] }))
    expect(seen.filter(({ step }) => step === "running")).toHaveLength(2)
    expect(await outputText(bench, ran.outputs[0]?.digest as never)).toBe("twice\n")
  },
)

test.skipIf(typeof engine === "string")("the sweep removes what no open shard owns", async () => {
  const crash = new Error("crash")
  const record = async (state: ShardState) => {
    if (state.step === "running") throw crash
  }
  const shard = bench.lease({ argv: ["sleep", "50"] })
  await expect(walk(shard, stepsOver(bench.ports), record, limit())).rejects.toBe(crash)
  expect(await bench.ports.engine.find({ home: bench.ports.home }, limit())).toHaveLength(1)
  await sweep([], bench.ports, limit(), 0)
  expect(await bench.ports.engine.find({ home: bench.ports.home }, limit())).toEqual([])
})
