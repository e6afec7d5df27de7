import fc from "fast-check"
import { expect, test } from "vitest"
import { afterLoss, claimed } from "../../src/marketplace/book/claim.ts"
import { missing, type Pays, type Place, pair, type ReadyShard } from "../../src/marketplace/book/fit.ts"
import { standing } from "../../src/marketplace/book/matching.ts"
import type { Measured } from "../../src/marketplace/book/report-row.ts"
import type { ShardRow } from "../../src/marketplace/book/shard-row.ts"
import { fits } from "../../src/protocol/fits.ts"
import { JobId } from "../../src/protocol/job.ts"
import { KeyId } from "../../src/protocol/keys.ts"

const agents = ["a", "b", "c"].map(letter => KeyId.parse(letter.repeat(64)))
const [anna, bert] = agents as [KeyId, KeyId]
const job = JobId.parse("job-000000000000")
const cpu = (memoryMiB: number) => ({ device: "cpu" as const, cpus: 1, memoryMiB, vramMiB: 0 })
const place = (agent: KeyId, id: string, memoryMiB = 1024, measured: Measured | null = null): Place => ({
  agent,
  measured,
  slot: { id, ...cpu(memoryMiB) },
})
const ready = (index: number, label: string, memoryMiB = 512): ReadyShard => {
  const shard = { job, index, label, lease: "l" as never, epoch: 1, isAuditableAt: () => true }
  return { ...shard, resources: cpu(memoryMiB), readyAt: index, pays: PAYS, auditor: null }
}
const PAYS: Pays = { price: { per: "shard", amount: 3_000_000 as never }, timeMs: 600_000 }
const open = { engaged: [], barred: () => false }

test("the greatest need takes the only slot that can serve it", () => {
  const shards = [ready(0, "small"), ready(1, "large", 4096)]
  const [first, second] = pair({
    ...open,
    ready: shards,
    free: [place(anna, "big", 8192), place(bert, "little")],
  })
  expect([first?.shard.label, first?.place.slot.id]).toEqual(["large", "big"])
  expect([second?.shard.label, second?.place.slot.id]).toEqual(["small", "little"])
})

test("a round's train shards go to different agents, also when one was leased before", () => {
  const free = [place(anna, "0"), place(anna, "1"), place(bert, "2", 8192)]
  const trainers = [ready(0, "round-1/train-0"), ready(1, "round-1/train-1")]
  const spread = pair({ ...open, ready: trainers, free })
  expect(new Set(spread.map(found => found.place.agent)).size).toBe(2)
  const engaged = [{ agent: anna, job, label: "round-1/train-0" }]
  const [found] = pair({ ...open, engaged, ready: trainers.slice(1), free })
  expect(found?.place.agent).toBe(bert)
})

test("an agent that is barred from a shard does not get it", () => {
  const barred = (_: ReadyShard, agent: KeyId) => agent === anna
  expect(pair({ ...open, barred, ready: [ready(0, "x")], free: [place(anna, "0")] })).toEqual([])
})

test("an audit goes to its auditor alone, and before shards that nobody's pay waits for", () => {
  const audit = { ...ready(7, "audited"), auditor: bert }
  const free = [place(anna, "0"), place(bert, "1")]
  const [first, second] = pair({ ...open, ready: [ready(0, "x"), audit], free })
  expect([first?.shard.label, first?.place.agent]).toEqual(["audited", bert])
  expect(second?.place.agent).toBe(anna)
})

test("a shard is given to nobody whose work could not be run again", () => {
  const audited = { ...ready(0, "x"), isAuditableAt: ({ agent }: Place) => agent === bert }
  const [found] = pair({ ...open, ready: [audited], free: [place(anna, "0"), place(bert, "1")] })
  expect(found?.place.agent).toBe(bert)
})

const someShard = fc.record({ index: fc.nat(9), memory: fc.integer({ min: 1, max: 100 }) })
const somePlace = fc.record({ agent: fc.constantFrom(...agents), memory: fc.integer({ min: 1, max: 100 }) })

test("no slot and no shard is taken twice, every pair fits, and nothing that still fits is left", () => {
  fc.assert(
    fc.property(fc.array(someShard), fc.array(somePlace), (shards, places) => {
      const waiting = shards.map(({ memory }, index) => ready(index, `shard-${index}`, memory))
      const free = places.map(({ agent, memory }, index) => place(agent, String(index), memory))
      const pairs = pair({ ...open, ready: waiting, free })
      expect(new Set(pairs.map(found => found.shard)).size).toBe(pairs.length)
      expect(new Set(pairs.map(found => found.place)).size).toBe(pairs.length)
      for (const found of pairs) expect(fits(found.place.slot, found.shard.resources)).toBe(true)
      const left = waiting.filter(shard => !pairs.some(found => found.shard === shard))
      const idle = free.filter(one => !pairs.some(found => found.place === one))
      for (const shard of left) expect(idle.some(({ slot }) => fits(slot, shard.resources))).toBe(false)
    }),
  )
})

test("what is missing is said with what is there", () => {
  const need = { device: "cuda" as const, cpus: 2, memoryMiB: 4096, vramMiB: 24_576 }
  expect(missing(need, [], PAYS)).toContain("no agent is connected")
  expect(missing(need, [place(anna, "0"), place(bert, "1", 2048)], PAYS)).toBe(
    "needs cuda with 24576 MiB VRAM, 2 cpus and 4096 MiB memory; 2 agents are connected, " +
      "they offer at best cpu with 1 cpu and 2048 MiB memory",
  )
  expect(missing(cpu(512), [place(anna, "0")], PAYS)).toBeNull()
})

test.each([
  [{ lacking: "needs cuda", leased: false, begun: true }, "waiting", "needs cuda"],
  [{ lacking: null, leased: false, begun: false }, "waiting", "waits for a free slot"],
  [{ lacking: null, leased: true, begun: false }, "running", null],
  [{ lacking: null, leased: false, begun: true }, "running", null],
])("a job that is %j is %s", (seen, state, reason) => {
  expect(standing(seen)).toEqual({ state, reason })
})

const held: ShardRow = {
  ...{ job, index: 0, label: "shard-0", state: "leased", readyAt: 0, attempt: 0 },
  ...{ lease: "l" as never, epoch: 2, nonce: "n" as never, grantedUntil: 100, notAfter: 200 },
  ...{ agent: anna, slot: "0", step: 0, steps: 0, loss: null, proof: null },
  ...{ grantedAt: 50, cost: null, claim: null },
}

test("only the holder, at its epoch and in time, may speak for a lease", () => {
  expect(claimed(held, anna, 2, 200)).toBe(held)
  expect(() => claimed(held, anna, 2, 201)).toThrow("no longer yours")
  expect(() => claimed(held, bert, 2, 0)).toThrow("no longer yours")
  expect(() => claimed(held, anna, 1, 0)).toThrow("no longer yours")
  expect(() => claimed(held, anna, 3, 0)).toThrow("no such lease")
  expect(() => claimed(undefined, anna, 1, 0)).toThrow("no such lease")
})

test("every loss fences off the holder, and neither failures nor silence go on for ever", () => {
  const abandoned = { cause: "abandoned", code: "shard-failed", message: "exit code 1" } as const
  expect(afterLoss(held, abandoned, { attempts: 3 })).toEqual({ state: "ready", epoch: 3, attempt: 1 })
  expect(afterLoss({ ...held, attempt: 2 }, abandoned, { attempts: 3 })).toMatchObject({
    state: "failed",
    epoch: 3,
    reason: expect.stringContaining("shard-failed: exit code 1"),
  })
  expect(afterLoss(held, { cause: "expired" }, { attempts: 3 })).toEqual({
    state: "ready",
    epoch: 3,
    attempt: 0,
  })
  expect(afterLoss({ ...held, epoch: 24 }, { cause: "expired" }, { attempts: 3 }).state).toBe("failed")
})

test("an evaluation lets the next round go first, but not for ever", () => {
  const next = (readyAt: number) => {
    const shards = [ready(0, "round-1/evaluate"), { ...ready(1, "round-2/train-0"), readyAt }]
    return pair({ ...open, ready: shards, free: [place(anna, "0")] })[0]?.shard.label
  }
  expect(next(1000)).toBe("round-2/train-0")
  expect(next(60_000)).toBe("round-1/evaluate")
})

const measured = (figures: Record<string, number>, isSound = true): Measured => {
  return { isSound, medians: new Map(Object.entries(figures)) }
}
const fast = { ...cpu(512), atLeast: { "matmul-fp32": 2e12 } }

test("a shard that names a figure goes where that was measured, and nowhere on a name alone", () => {
  const shard = { ...ready(0, "fast"), resources: fast }
  const slow = place(anna, "slow", 1024, measured({ "matmul-fp32": 1.9e12, "memory-copy": 9e12 }))
  const unknown = place(anna, "unknown")
  const able = place(bert, "able", 8192, measured({ "matmul-fp32": 2e12 }))
  expect(pair({ ...open, ready: [shard], free: [slow, unknown, able] })[0]?.place).toBe(able)
  expect(pair({ ...open, ready: [shard], free: [slow, unknown] })).toEqual([])
  expect(missing(fast, [slow, unknown], PAYS)).toBe(
    "needs cpu with 1 cpu and 512 MiB memory, matmul-fp32 of at least 2 T; the best measured matmul-fp32 is 1.9 T",
  )
  expect(missing(fast, [unknown], PAYS)).toMatch(/no slot of that size has a measured matmul-fp32$/)
})

test("a card that failed its tests gets no shard, whatever it reached", () => {
  const sick = place(anna, "sick", 1024, measured({ "matmul-fp32": 9e12 }, false))
  expect(pair({ ...open, ready: [ready(0, "any")], free: [sick] })).toEqual([])
  expect(missing(cpu(512), [sick], PAYS)).toMatch(/every card that is large enough has failed its tests$/)
})
