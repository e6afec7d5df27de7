import { execa } from "execa"
import { afterEach, expect, test, vi } from "vitest"
import { ageMs, startRunClock, timesOf } from "../../../src/runtime/shard/run-clock.ts"

afterEach(() => void vi.useRealTimers())

const HOUR_MS = 3_600_000

/** Sets this program's idea of the time of day; processes and the monotonic clock go on as they do. */
function jump(byMs: number): void {
  vi.useFakeTimers({ toFake: ["Date"] })
  vi.setSystemTime(Date.now() + byMs)
}

test("a process is as old as the kernel says, whatever it is called", () => {
  const rest = "S 1 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0"
  expect(ageMs(`42 (sleep) ${rest} 12000 1 1`, "130.50 99.0")).toBe(10_500)
  expect(ageMs(`42 (a) b (c) ) ${rest} 12000 1 1`, "130.50 99.0")).toBe(10_500)
  expect(ageMs(`42 (sleep) ${rest} 99999 1 1`, "130.50 99.0")).toBe(0)
  expect(ageMs("", "130.50 99.0")).toBeNull()
})

test.for([HOUR_MS, -HOUR_MS])(
  "a jump of %i ms changes nothing for a clock that runs, nor for one that begins then",
  async (byMs, { expect }) => {
    const child = execa("sleep", ["30"], { reject: false })
    const startedAt = new Date().toISOString()
    // The test's own cgroup stands for the container's, which is known by its id in it.
    const { stdout } = await execa("cat", [`/proc/${child.pid}/cgroup`])
    const id = stdout.split("\n")[0] as string
    const before = await startRunClock(id, { pid: child.pid as number, startedAt })
    jump(byMs)
    const after = await startRunClock(id, { pid: child.pid as number, startedAt })
    for (const clock of [before, after]) expect(Math.abs(clock())).toBeLessThan(HOUR_MS / 2)
    child.kill()
    await child
  },
)

test("where the process is another machine's, the clock begins with what the engine tells", async () => {
  const startedAt = new Date(Date.now() - 60_000).toISOString()
  const clock = await startRunClock("c".repeat(64), { pid: process.pid, startedAt })
  expect(clock()).toBeGreaterThanOrEqual(60_000)
  const ahead = await startRunClock("c".repeat(64), {
    pid: 0,
    startedAt: new Date(Date.now() + HOUR_MS).toISOString(),
  })
  expect(ahead()).toBeLessThan(HOUR_MS / 2)
})

test("a run has the engine's own times, unless the clock was set in between", () => {
  const told = { startedAt: "2026-11-22T11:00:00.250Z", finishedAt: "2026-11-22T11:00:10.750Z" }
  const started = Date.parse(told.startedAt)
  expect(timesOf(told, 10_300)).toEqual({ started, finished: started + 10_500 })
  expect(timesOf(told, null)).toEqual({ started, finished: started + 10_500 })
  expect(timesOf({ ...told, finishedAt: "2026-11-22T12:00:10.750Z" }, 10_500.4)).toEqual({
    started,
    finished: started + 10_500,
  })
})

test("what ended before the engine noted its start has run for some time", () => {
  const told = { startedAt: "2026-11-22T11:00:00.250Z", finishedAt: "2026-11-22T11:00:00.249Z" }
  const started = Date.parse(told.startedAt)
  expect(timesOf(told, 7)).toEqual({ started, finished: started + 1 })
  expect(timesOf({ ...told, finishedAt: "2026-11-22T10:00:10.750Z" }, null)).toEqual({
    started,
    finished: started + 1,
  })
})
