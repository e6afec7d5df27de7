import fc from "fast-check"
import { expect, test } from "vitest"
import { lastOf, lookAtCaches } from "../../../../src/runtime/bench/host/caches.ts"
import { measureMemory, planArrays } from "../../../../src/runtime/bench/host/memory.ts"
import { BRIEF, expectSound, namesOf, watching } from "./sound.ts"

const MIB = 2 ** 20
const NAMES = [
  "memory-copy-one-thread",
  "memory-copy-all-threads",
  "memory-triad-one-thread",
  "memory-triad-all-threads",
]

test("copy and triad are measured by one thread and by all", async () => {
  const { measurements, unmeasured } = await measureMemory({ threads: 2 }, BRIEF, watching())
  expect(namesOf([...measurements, ...unmeasured]).sort()).toEqual(NAMES.toSorted())
  // A machine whose memory is taken says so; where 8 GiB are free nothing may be missing.
  if (process.availableMemory() > 8 * 1024 * MIB) expect(unmeasured).toEqual([])
  expectSound(measurements)
})

test("an owner who gives little memory is not measured beyond it, and told why", async () => {
  const { measurements, unmeasured } = await measureMemory(
    { threads: 2, memoryBytes: 8 * MIB },
    BRIEF,
    watching(),
  )
  expect(measurements).toEqual([])
  expect(namesOf(unmeasured)).toEqual(NAMES)
  expect(unmeasured[0]?.reason).toContain("only 8 MiB can be taken")
})

test("arrays are four times the caches and all of them within what is free, or none", () => {
  const ground = fc.record({
    threads: fc.integer({ min: 1, max: 256 }),
    caches: fc.record({
      sum: fc.integer({ min: 1, max: 2 ** 31 }),
      largest: fc.integer({ min: 1, max: 2 ** 31 }),
    }),
    freeBytes: fc.integer({ min: 0, max: 2 ** 38 }),
  })
  fc.assert(
    fc.property(ground, one => {
      const plan = planArrays(one)
      if ("reason" in plan) return
      const reach = one.threads === 1 ? one.caches.largest : one.caches.sum
      expect(plan.arrayBytes % 64).toBe(0)
      expect(one.threads * plan.arrayBytes).toBeGreaterThanOrEqual(4 * reach)
      expect(3 * one.threads * plan.arrayBytes).toBeLessThan(one.freeBytes)
      expect(3 * plan.arrayBytes).toBeLessThan(2 ** 32)
    }),
  )
})

test("a rig of 4 GB with two cores can be measured", () => {
  const caches = { sum: 2 * MIB, largest: 2 * MIB }
  expect(planArrays({ threads: 2, caches, freeBytes: (2500 * MIB) / 4 })).toEqual({ arrayBytes: 16 * MIB })
})

test("shared caches count once, and one core alone uses the largest", () => {
  const of = (level: number, mib: number, cores: string) => ({ level, bytes: mib * MIB, cores })
  const caches = [of(2, 1, "0"), of(3, 32, "0-3"), of(2, 1, "1"), of(3, 32, "0-3"), of(3, 96, "4-7")]
  expect(lastOf(caches)).toEqual({ sum: 128 * MIB, largest: 96 * MIB })
})

test("a machine that tells nothing of its caches is taken to have large ones", async () => {
  expect(await lookAtCaches("/nowhere")).toEqual({ sum: 64 * MIB, largest: 64 * MIB })
  const { sum, largest } = await lookAtCaches()
  expect(largest).toBeGreaterThan(0)
  expect(sum).toBeGreaterThanOrEqual(largest)
})
