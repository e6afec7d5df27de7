import { expect, test } from "vitest"
import { Fault } from "../../../src/protocol/fault.ts"
import { parseProgress } from "../../../src/runtime/shard/progress.ts"
import { verdictOf } from "../../../src/runtime/shard/verdict.ts"
import type { End } from "../../../src/runtime/shard/watch.ts"

function end(exitCode: number, change: Partial<End> & { oomKilled?: boolean } = {}): End {
  const { oomKilled = false, ...rest } = change
  return {
    state: {
      status: "exited",
      exitCode,
      oomKilled,
      startedAt: "2026-11-22T11:00:00Z",
      finishedAt: "2026-11-22T11:00:01Z",
      pid: 0,
    },
    cpuSeconds: null,
    metered: { energyJoules: null, peakVramBytes: null },
    breach: null,
    step: null,
    ranMs: 1000,
    ...rest,
  }
}

const codeOf = (verdict: ReturnType<typeof verdictOf>) => (verdict instanceof Fault ? verdict.code : verdict)

test("an exit code of 0 is well, any other names itself and the end of the log", () => {
  expect(verdictOf(end(0), "")).toBeNull()
  expect(verdictOf(end(3), "no such file")).toMatchObject({
    code: "shard-failed",
    message: "The program ended with exit code 3. Its log ends: no such file",
    facts: { exitCode: 3 },
  })
})

test("a limit that was broken counts more than how the program then ended", () => {
  const breach = new Fault("shard-timed-out", "too long", { hint: "" })
  expect(verdictOf(end(0, { breach }), "")).toBe(breach)
  expect(verdictOf(end(137, { breach, oomKilled: true }), "")).toBe(breach)
})

test("out of memory counts only where the program did not survive it", () => {
  expect(codeOf(verdictOf(end(137, { oomKilled: true }), ""))).toBe("shard-out-of-memory")
  expect(verdictOf(end(0, { oomKilled: true }), "")).toBeNull()
})

test("exit 85 goes on from the checkpoint, and so does what was killed for no limit of its own", () => {
  for (const exitCode of [85, 137, 143, 255]) expect(verdictOf(end(exitCode), "")).toBe("cut")
  for (const exitCode of [1, 86, 134, 139]) expect(codeOf(verdictOf(end(exitCode), ""))).toBe("shard-failed")
})

test("an exit code of 0 without a time of the end is what an engine says that does not know", () => {
  const { state } = end(0)
  expect(verdictOf(end(0, { state: { ...state, finishedAt: "0001-01-01T00:00:00Z" } }), "")).toBe("cut")
})

test("a file over its limit is named", () => {
  expect(codeOf(verdictOf(end(153), ""))).toBe("shard-output-too-large")
})

test("only a line of JSON with steps is progress", () => {
  expect(parseProgress('{"step":3,"steps":10,"loss":2.5,"more":true}')).toEqual({
    step: 3,
    steps: 10,
    loss: 2.5,
  })
  expect(parseProgress('{"step":3,"steps":10}')).toEqual({ step: 3, steps: 10, loss: null })
  for (const line of ["", "step 3", "{", '{"step":-1,"steps":10}', '{"step":"3","steps":10}', "[1]", "null"])
    expect(parseProgress(line)).toBeNull()
})
