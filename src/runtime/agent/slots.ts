import os from "node:os"
import { fits } from "../../protocol/fits.ts"
import type { DeclineReason, Slot } from "../../protocol/message.ts"
import {
  formatPrice,
  formatRate,
  meets,
  type NanoCreditsPerSecond,
  type Price,
} from "../../protocol/price.ts"
import type { Resources } from "../../protocol/shard-spec.ts"
import type { Refusal } from "../host/rules/judge.ts"
import type { Berth } from "../shard/state.ts"
import type { GpuBerth } from "./gpu-berths.ts"

const MIB = 1 << 20

/** A slot as the marketplace knows it, and the part of the machine behind it. */
export interface ServedSlot {
  slot: Slot
  berth: Berth
}

/** What the owner gives; all slots share it equally. */
export interface Given {
  cpuSlots: number
  gpus: readonly GpuBerth[]
  cpus: number
  memoryMiB: number
  /** What each slot asks for a second; any price when not given. */
  ask?: NanoCreditsPerSecond | undefined
}

/** So that its owner can go on working, half of the machine's memory is given where nothing else is said. */
export function ownersDefault(): Pick<Given, "cpus" | "memoryMiB"> {
  return { cpus: os.availableParallelism(), memoryMiB: os.totalmem() / MIB / 2 }
}

/** One slot for each card, and as many on the CPU as wanted. */
export function divide({ cpuSlots, gpus, cpus, memoryMiB, ask }: Given): ServedSlot[] {
  const count = cpuSlots + gpus.length
  const share = {
    cpus: Math.max(0.1, Math.floor((cpus / count) * 10) / 10),
    memoryMiB: Math.floor(memoryMiB / count),
    ...(ask === undefined ? {} : { ask }),
  }
  const onGpus = gpus.map(({ berth, vramMiB }) => ({
    slot: { id: berth.slot, device: berth.placement.device, ...share, vramMiB },
    berth,
  }))
  const onCpu = Array.from({ length: cpuSlots }, (_, index) => {
    const id = `cpu-${index}`
    const berth: Berth = { slot: id, placement: { device: "cpu" }, gpus: [] }
    return { slot: { id, device: "cpu" as const, ...share, vramMiB: 0 }, berth }
  })
  return [...onGpus, ...onCpu]
}

/** What to do with an offer: run it in this slot, or say why not, and which of the owner's rules forbids it. */
export type Decision = { taken: ServedSlot } | { decline: DeclineReason; refusal?: Refusal }

/** What is to be judged of an offer, besides the owner's rules. */
export interface Wanted {
  resources: Resources
  price: Price
  /** How long the shard may run, in milliseconds. */
  timeMs: number
}

/** Takes the smallest free slot that holds the shard for what it asks, so that larger ones stay free for larger shards. */
export function decide(
  { resources, price, timeMs }: Wanted,
  slots: readonly ServedSlot[],
  busy: ReadonlySet<string>,
): Decision {
  const large = slots.filter(({ slot }) => fits(slot, resources)).sort(bySize)
  if (large.length === 0) return { decline: "too-large" }
  const fitting = large.filter(({ slot }) => meets(price, timeMs, slot.ask))
  if (fitting.length === 0) return { decline: "not-allowed", refusal: tooCheap(large, price, timeMs) }
  const taken = fitting.find(({ slot }) => !busy.has(slot.id))
  return taken ? { taken } : { decline: "busy" }
}

function tooCheap(large: readonly ServedSlot[], price: Price, timeMs: number): Refusal {
  const allowed = `${formatRate(Math.min(...large.map(({ slot }) => slot.ask ?? 0)))} credits/s`
  const asked =
    price.per === "shard" ? `${formatPrice(price)} for up to ${timeMs / 1000} s` : formatPrice(price)
  return { rule: "ask", asked, allowed, message: `it pays ${asked}, the owner asks ${allowed}` }
}

function bySize({ slot: a }: ServedSlot, { slot: b }: ServedSlot): number {
  return a.vramMiB - b.vramMiB || a.memoryMiB - b.memoryMiB
}
