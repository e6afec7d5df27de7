import type { Logger } from "pino"
import { Fault } from "../../protocol/fault.ts"
import type { EngineFacts } from "../container/engine.ts"
import { detectGpus } from "../host/detect-gpus.ts"
import type { DetectedGpu } from "../host/gpu.ts"
import { chooseGpus, type GpuBerth, type GpuChoice, gpuBerths, nameOf } from "./gpu-berths.ts"
import { divide, ownersDefault, type ServedSlot } from "./slots.ts"

/** What the owner gives; cores and memory are for all slots together. */
export interface Offering {
  gpus: GpuChoice
  cpuSlots: number
  cpus?: number | undefined
  memoryMiB?: number | undefined
}

export interface OpenSlots {
  slots: ServedSlot[]
  /** The cards behind them. */
  berths: GpuBerth[]
  /** Every card of the machine, offered or not. */
  detected: DetectedGpu[]
}

export interface SlotsOptions {
  offering: Offering
  /** Where sysfs is mounted. */
  sysfs: string
  engine: Pick<EngineFacts, "cdiDevices">
  log: Logger
}

/** Looks at the cards and makes the slots. @throws Fault `gpu-unusable`, `nothing-to-offer`. */
export async function openSlots(
  { offering, sysfs, engine, log }: SlotsOptions,
  signal: AbortSignal,
): Promise<OpenSlots> {
  const { gpus: choice, cpuSlots, ...given } = offering
  const detection = choice === "none" ? { gpus: [], problems: [] } : await detectGpus({ sysfs, signal })
  for (const { source, message, hint } of detection.problems)
    log.warn({ source, message, hint }, "gpus.problem")
  const { cards, passedOver } = chooseGpus(detection.gpus, choice)
  for (const { gpu, identity, reason } of passedOver)
    log.info({ gpu: identity, name: nameOf(gpu), reason }, "gpu.passed-over")
  const berths = await gpuBerths(cards, engine)
  if (cpuSlots + berths.length === 0) throw nothingToOffer(choice)
  const limits = ownersDefault()
  const { cpus = limits.cpus, memoryMiB = limits.memoryMiB } = given
  const slots = divide({ cpuSlots, gpus: berths, cpus, memoryMiB })
  return { slots, berths, detected: detection.gpus }
}

function nothingToOffer(choice: GpuChoice): Fault {
  const message =
    choice === "none"
      ? "There is nothing to serve with: GPUs were declined and no CPU slot was given."
      : "There is nothing to serve with: no GPU here can run shards, and no CPU slot was given."
  return new Fault("nothing-to-offer", message, {
    hint: "Let the CPU work with `zg-agent serve --cpu-slots 1`; `zg-agent gpus` says what is with the cards.",
  })
}
