import { expect, test } from "vitest"
import { Slot } from "../../../src/protocol/message.ts"
import type { Price } from "../../../src/protocol/price.ts"
import { Resources } from "../../../src/protocol/shard-spec.ts"
import type { GpuBerth } from "../../../src/runtime/agent/gpu-berths.ts"
import { decide, divide, type Wanted } from "../../../src/runtime/agent/slots.ts"

const card = (id: string, vramMiB: number): GpuBerth => ({
  berth: { slot: id, placement: { device: "cuda", uuid: id, through: "gpus" }, gpus: [] },
  vramMiB,
  identity: id,
})
const RIG = divide({
  cpuSlots: 1,
  gpus: [card("large", 24_576), card("small", 8192)],
  cpus: 2,
  memoryMiB: 4000,
})

const PRICE: Price = { per: "second", rate: 100_000 as never }
const wanted = (resources: Partial<Resources>, price: Price = PRICE): Wanted => {
  return { resources: Resources.parse(resources), price, timeMs: 600_000 }
}

test("cards and CPU slots share cores and memory equally, and none gets more than there is", () => {
  expect(RIG.map(({ slot }) => Slot.parse(slot))).toEqual([
    { id: "large", device: "cuda", cpus: 0.6, memoryMiB: 1333, vramMiB: 24_576 },
    { id: "small", device: "cuda", cpus: 0.6, memoryMiB: 1333, vramMiB: 8192 },
    { id: "cpu-0", device: "cpu", cpus: 0.6, memoryMiB: 1333, vramMiB: 0 },
  ])
})

test("a shard takes the card with the least memory that is enough, and waits when those are busy", () => {
  const needs = (vramMiB: number) => wanted({ device: "cuda", cpus: 0.5, memoryMiB: 1000, vramMiB })
  const slot = (decision: ReturnType<typeof decide>) =>
    "taken" in decision ? decision.taken.slot.id : decision
  expect(slot(decide(needs(6000), RIG, new Set()))).toBe("small")
  expect(slot(decide(needs(6000), RIG, new Set(["small"])))).toBe("large")
  expect(slot(decide(needs(12_000), RIG, new Set()))).toBe("large")
  expect(slot(decide(needs(12_000), RIG, new Set(["large"])))).toEqual({ decline: "busy" })
  expect(slot(decide(needs(48_000), RIG, new Set()))).toEqual({ decline: "too-large" })
})

test("a slot on a card runs no shard that asks for the CPU", () => {
  const needs = wanted({ device: "cpu", cpus: 0.5, memoryMiB: 1000 })
  expect(decide(needs, RIG, new Set(["cpu-0"]))).toEqual({ decline: "busy" })
})

test("an offer that pays less than a slot asks is declined by the owner's word, with both numbers", () => {
  const [cpu] = divide({ cpuSlots: 1, gpus: [], cpus: 1, memoryMiB: 1000, ask: 100_000 as never })
  const needs = { cpus: 1, memoryMiB: 1000 }
  const decisionOn = (price: Price) =>
    decide(wanted(needs, price), [cpu as NonNullable<typeof cpu>], new Set())
  expect(decisionOn(PRICE)).toMatchObject({ taken: { slot: { ask: 100_000 } } })
  expect(decisionOn({ per: "second", rate: 99_999 as never })).toEqual({
    decline: "not-allowed",
    refusal: {
      rule: "ask",
      asked: "0.000099999 credits/s",
      allowed: "0.0001 credits/s",
      message: "it pays 0.000099999 credits/s, the owner asks 0.0001 credits/s",
    },
  })
  // 600 s at 0.0001 credits are 0.06.
  expect(decisionOn({ per: "shard", amount: 60_000 as never })).toHaveProperty("taken")
  expect(decisionOn({ per: "shard", amount: 59_999 as never })).toMatchObject({
    decline: "not-allowed",
    refusal: { message: "it pays 0.059999 credits for up to 600 s, the owner asks 0.0001 credits/s" },
  })
})
