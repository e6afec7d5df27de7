import { readdir } from "node:fs/promises"
import { setTimeout as sleep } from "node:timers/promises"
import { expect, test } from "vitest"
import { measureCpu } from "../../../../src/runtime/bench/host/cpu.ts"
import { Crew } from "../../../../src/runtime/bench/host/crew.ts"
import type { Drill } from "../../../../src/runtime/bench/host/drill.ts"
import { threadsOf } from "../../../../src/runtime/bench/host/host.ts"
import { skip } from "../../../contract/skip.ts"
import { BRIEF, expectSound, namesOf, watching } from "./sound.ts"

const KINDS: Drill[] = [
  { kind: "matmul" },
  { kind: "sha256" },
  { kind: "copy", arrayBytes: 1 << 20 },
  { kind: "triad", arrayBytes: 1 << 20 },
]

/** Threads of this process; null where the system does not list them. */
async function threadCount(): Promise<number | null> {
  return (await readdir("/proc/self/task").catch(() => null))?.length ?? null
}

/** Resolves when no more threads are there than before. */
async function backTo(before: number): Promise<void> {
  while (((await threadCount()) ?? 0) > before) await sleep(10)
}

test("one core and all that the owner gives compute right, and say how fast", async () => {
  const { measurements, unmeasured } = await measureCpu(2, BRIEF, watching())
  expect(unmeasured).toEqual([])
  expect(namesOf(measurements)).toEqual([
    "cpu-matmul-fp32-wasm-one-core",
    "cpu-matmul-fp32-wasm-all-cores",
    "cpu-sha256-one-core",
    "cpu-sha256-all-cores",
  ])
  expectSound(measurements)
  expect(measurements.map(({ unit }) => unit)).toEqual(["FLOP/s", "FLOP/s", "B/s", "B/s"])
})

test.for(KINDS)("a wrong result of $kind is a fault and no figure", async drill => {
  const { signal } = watching()
  await using crew = await Crew.muster(drill, 1, signal)
  expect(await crew.work(1)).toBeGreaterThan(0)
  await crew.check()
  await expect(Crew.muster({ ...drill, isSpoiled: true }, 2, signal)).rejects.toMatchObject({
    code: "host-unsound",
    area: "host",
  })
})

test("threads end at once with the signal, in the middle of their work", async context => {
  const before = await threadCount()
  if (before === null) skip(context, "this system does not list a process's threads")
  const stop = new AbortController()
  const crew = await Crew.muster({ kind: "matmul" }, 2, stop.signal)
  expect(await threadCount()).toBeGreaterThan(before ?? 0)
  const working = crew.work(600_000)
  stop.abort(new Error("stopped"))
  await expect(working).rejects.toThrow("stopped")
  await backTo(before ?? 0)
  await expect(crew.work(1)).rejects.toThrow("stopped")
  await expect(measureCpu(2, BRIEF, stop)).rejects.toThrow("stopped")
})

test("memory that the machine does not give is refused, and ends no more than that", async () => {
  const drill: Drill = { kind: "copy", arrayBytes: 2 ** 31 }
  await expect(Crew.muster(drill, 1, watching().signal)).rejects.toMatchObject({ name: "Refused" })
})

test("at least one thread works, and no more than the machine has", () => {
  expect(threadsOf(0.1)).toBe(1)
  expect(threadsOf(1.9)).toBe(1)
  expect(threadsOf(1e6)).toBe(threadsOf())
})
