import os from "node:os"
import type { HostBudget } from "./budgets.ts"
import { measureCpu } from "./cpu.ts"
import { type DiskFigures, measureDisk } from "./disk.ts"
import { type Figures, together, type Watch } from "./figure.ts"
import { measureMemory } from "./memory.ts"
import { measureNetwork, type NetworkOptions } from "./network.ts"
import { lookAtProcessor, type Processor } from "./processor.ts"

export interface HostOptions {
  /** Where the agent would write: its home. */
  folder: string
  /** The way to the marketplace; null where it is not to be measured. */
  network: NetworkOptions | null
  /** What the owner gives of the machine to shards; all of it where nothing is said. */
  given?: { cpus?: number | undefined; memoryMiB?: number | undefined }
}

export interface HostFigures extends Figures {
  processor: Processor
  /** Whether the page cache was out of the disk's way; null where it was not measured. */
  isDiskDirect: DiskFigures["isDirect"]
}

const MIB = 2 ** 20

/**
 * Measures the machine around the cards, one part after the other: processor, memory, disk, and the way to the marketplace. A part whose
 * figures cannot be had says why and holds up no other. On abort all of it ends at once and leaves nothing behind.
 * @throws Fault `host-unsound` when the machine computes wrongly, `market-lost`; the signal's reason.
 */
export async function measureHost(
  { folder, network, given = {} }: HostOptions,
  budget: HostBudget,
  watch: Watch,
): Promise<HostFigures> {
  const threads = threadsOf(given.cpus)
  const memory = given.memoryMiB === undefined ? {} : { memoryBytes: given.memoryMiB * MIB }
  const processor = await lookAtProcessor()
  const cpu = await measureCpu(threads, budget.cpu, watch)
  const ram = await measureMemory({ threads, ...memory }, budget.memory, watch)
  const disk = await measureDisk({ folder }, budget.disk, watch)
  const market = network === null ? [] : [await measureNetwork(network, budget.network, watch)]
  return { ...together([cpu, ram, disk, ...market]), processor, isDiskDirect: disk.isDirect }
}

/** Whole threads within the owner's cores: a share of one core is measured as one. */
export function threadsOf(cpus = Number.POSITIVE_INFINITY): number {
  return Math.max(1, Math.floor(Math.min(cpus, os.availableParallelism())))
}
