import { mkdtemp, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { FULL, type HostBudget, QUICK } from "../../../../src/runtime/bench/host/budgets.ts"
import type { Progress } from "../../../../src/runtime/bench/host/figure.ts"
import { measureHost } from "../../../../src/runtime/bench/host/host.ts"
import { BRIEF, expectSound, namesOf, watching } from "./sound.ts"

const MIB = 2 ** 20
const LEAST: HostBudget = {
  ...{ cpu: BRIEF, memory: BRIEF, disk: { ...BRIEF, fileBytes: 4 * MIB, writtenBytes: 64 * MIB } },
  network: { latency: BRIEF, line: { limitMs: 1000, limitBytes: MIB } },
}

test("every part of the machine has its figures, or a reason why not", async () => {
  const folder = await mkdtemp(join(tmpdir(), "zg-host-"))
  const told: Progress[] = []
  const watch = { ...watching(), onProgress: (one: Progress) => void told.push(one) }
  const figures = await measureHost({ folder, network: null, given: { cpus: 1 } }, LEAST, watch)
  const names = namesOf([...figures.measurements, ...figures.unmeasured])
  expect(names).toHaveLength(12)
  expect(new Set(names).size).toBe(12)
  expectSound(figures.measurements)
  expect(namesOf(told)).toEqual(expect.arrayContaining(namesOf(figures.measurements)))
  expect(figures.processor.logicalCores).toBeGreaterThan(0)
  expect(await readdir(folder)).toEqual([])
  await rm(folder, { recursive: true })
})

/** What the budgets let every part take at most, but for its getting ready. */
function longestMs({ cpu, memory, disk, network }: HostBudget): number {
  return (
    4 * (cpu.limitMs + memory.limitMs + disk.limitMs) + network.latency.limitMs + 2 * network.line.limitMs
  )
}

test("the quick budget is a quarter of a minute and the full one a minute and a half", () => {
  expect(longestMs(QUICK)).toBeLessThanOrEqual(16_000)
  expect(longestMs(FULL)).toBeLessThanOrEqual(95_000)
  expect(FULL.network.line.limitBytes).toBe(64 * MIB)
})
