import { expect, test } from "vitest"
import { Fault } from "../../../src/protocol/fault.ts"
import { cancelled, type Steps, walk } from "../../../src/runtime/shard/road.ts"
import type { OpenState, ShardState } from "../../../src/runtime/shard/state.ts"
import { COMMITTED, LEASED, PREPARED, PROVED, RAN, RUNNING, SETTLED } from "./sample.ts"

type Arrow = "prepare" | "run" | "wait" | "prove" | "settle" | "reveal"

/** Steps that only tell what was asked of them, to see the order; what they do for real is seen in test/engine. */
function told(change: Partial<Steps> = {}) {
  const log: string[] = []
  const tell = <State extends ShardState>(name: string, next: State) => {
    return async () => {
      log.push(name)
      return next
    }
  }
  const steps: Steps = {
    prepare: tell("prepare", PREPARED),
    run: tell("run", RUNNING),
    wait: tell("wait", RAN),
    prove: tell("prove", PROVED),
    settle: tell("settle", SETTLED),
    reveal: tell("reveal", SETTLED),
    halt: async ({ step }) => void log.push(`halt ${step}`),
    clean: async ({ step }) => void log.push(`clean ${step}`),
    ...change,
  }
  const record = async ({ step }: ShardState) => void log.push(`= ${step}`)
  return { steps, record, log }
}

const live = () => new AbortController().signal

test("each state is recorded before the next effect begins, and the place is cleaned before the end is", async () => {
  const { steps, record, log } = told()
  expect(await walk(LEASED, steps, record, live())).toBe(SETTLED)
  expect(log).toEqual(
    "= leased,prepare,= prepared,run,= running,wait,= ran,prove,= proved,settle,clean proved,= settled".split(
      ",",
    ),
  )
})

const ARROWS: [OpenState, Arrow][] = [
  [LEASED, "prepare"],
  [PREPARED, "run"],
  [RUNNING, "wait"],
  [RAN, "prove"],
  [PROVED, "settle"],
  [COMMITTED, "reveal"],
]

test("a proof that is to be audited is committed on its way", async () => {
  const { steps, record, log } = told({ settle: async () => COMMITTED })
  expect(await walk(PROVED, steps, record, live())).toBe(SETTLED)
  expect(log).toEqual(["= proved", "= committed", "reveal", "clean committed", "= settled"])
})

test.for(ARROWS)("a walk from $0.step starts with its own step", async ([from, arrow], { expect }) => {
  const { steps, record, log } = told()
  await walk(from, steps, record, live())
  expect(log.slice(0, 2)).toEqual([`= ${from.step}`, arrow])
})

test.for(ARROWS)(
  "a fault in the step after $0.step abandons the shard",
  async ([from, arrow], { expect }) => {
    const fault = new Fault("blob-missing", "The blob is gone.", { hint: "" })
    const { steps, record, log } = told({ [arrow]: () => Promise.reject(fault) })
    expect(await walk(from, steps, record, live())).toMatchObject({
      step: "abandoned",
      from: from.step,
      code: "blob-missing",
      message: "The blob is gone.",
    })
    expect(log.slice(-2)).toEqual([`clean ${from.step}`, "= abandoned"])
  },
)

const FULL = Object.assign(new Error("write"), { code: "ENOSPC" })

test.for(ARROWS)(
  "a full disk in the step after $0.step costs no work that is done",
  async ([from, arrow], { expect }) => {
    const { steps, record, log } = told({ [arrow]: () => Promise.reject(FULL) })
    const walking = walk(from, steps, record, live(), 1)
    if (["ran", "proved", "committed"].includes(from.step)) {
      await expect(walking).rejects.toMatchObject({ code: "disk-full" })
      expect(log).toEqual([`= ${from.step}`])
    } else expect(await walking).toMatchObject({ step: "abandoned", from: from.step, code: "disk-full" })
  },
)

test("finished work and every record wait for room on the disk", async () => {
  let full = new Set(["prove", "settle", "ran", "proved", "settled"])
  const once = <T>(name: string, value: T) => {
    if (full.delete(name)) return Promise.reject(FULL)
    return Promise.resolve(value)
  }
  const { steps, log } = told({ prove: () => once("prove", PROVED), settle: () => once("settle", SETTLED) })
  const record = async ({ step }: ShardState) => {
    await once(step, null)
    log.push(`= ${step}`)
  }
  expect(await walk(RUNNING, steps, record, live())).toBe(SETTLED)
  expect(log.filter(entry => entry.startsWith("="))).toEqual(["= running", "= ran", "= proved", "= settled"])
  full = new Set(["running"])
  const stop = AbortSignal.abort(new Error("shutdown"))
  await expect(walk(RUNNING, steps, record, stop)).rejects.toThrow("shutdown")
})

test.for(ARROWS)(
  "a bug in the step after $0.step is thrown, and nothing is thrown away",
  async ([from, arrow], { expect }) => {
    const bug = new TypeError("a bug")
    const { steps, record, log } = told({ [arrow]: () => Promise.reject(bug) })
    await expect(walk(from, steps, record, live())).rejects.toBe(bug)
    expect(log).toEqual([`= ${from.step}`])
  },
)

test.for(ARROWS)(
  "a shutdown when $0.step halts the shard and leaves the journal",
  async ([from, arrow], { expect }) => {
    const stop = new AbortController()
    const shutdown = new Error("shutdown")
    const { steps, record, log } = told({
      [arrow]: () => {
        stop.abort(shutdown)
        return Promise.reject(new Error("whatever a broken step says"))
      },
    })
    await expect(walk(from, steps, record, stop.signal)).rejects.toBe(shutdown)
    expect(log).toEqual([`= ${from.step}`, `halt ${from.step}`])
  },
)

test("a cancelled lease abandons the shard", async () => {
  const { steps, record, log } = told()
  const end = await walk(RUNNING, steps, record, AbortSignal.abort(cancelled("the job is over")))
  expect(end).toMatchObject({ step: "abandoned", from: "running", code: "shard-cancelled" })
  expect(log).toEqual(["= running", "clean running", "= abandoned"])
})

test("an illegal step does not compile", () => {
  const { steps } = told()
  // @ts-expect-error what is only leased cannot be proved
  void (() => steps.prove(LEASED, live()))
  // @ts-expect-error what has not run has no proof to settle
  void (() => steps.settle(RAN, live()))
  // @ts-expect-error a leased shard has no container
  void (() => LEASED.containerId)
  // @ts-expect-error an ended shard walks no further
  void (() => walk(SETTLED, steps, async () => {}, live()))
  expect(RUNNING.containerId).toBeDefined()
})
