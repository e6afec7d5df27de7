import os from "node:os"
import { fits } from "../../protocol/fits.ts"
import type { DeclineReason, Slot } from "../../protocol/message.ts"
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
}

/** So that its owner can go on working, half of the machine's memory is given where nothing else is said. */
export function ownersDefault(): Pick<Given, "cpus" | "memoryMiB"> {
  return { cpus: os.availableParallelism(), memoryMiB: os.totalmem() / MIB / 2 }
}

/** One slot for each card, and as many on the CPU as wanted. */
export function divide({ cpuSlots, gpus, cpus, memoryMiB }: Given): ServedSlot[] {
  const count = cpuSlots + gpus.length
  const share = {
    cpus: Math.max(0.1, Math.floor((cpus / count) * 10) / 10),
    memoryMiB: Math.floor(memoryMiB / count),
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

/** Takes the smallest free slot that holds the shard, so that larger ones stay free for larger shards. */
export function decide(needs: Resources, slots: readonly ServedSlot[], busy: ReadonlySet<string>): Decision {
  const fitting = slots.filter(({ slot }) => fits(slot, needs)).sort(bySize)
  if (fitting.length === 0) return { decline: "too-large" }
  const taken = fitting.find(({ slot }) => !busy.has(slot.id))
  return taken ? { taken } : { decline: "busy" }
}

function bySize({ slot: a }: ServedSlot, { slot: b }: ServedSlot): number {
  return a.vramMiB - b.vramMiB || a.memoryMiB - b.memoryMiB
}
