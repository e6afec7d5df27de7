import type { Logger } from "pino"
import { Fault } from "../../protocol/fault.ts"
import type { NanoCreditsPerSecond } from "../../protocol/price.ts"
import { findToolkit } from "../host/escapes/find-toolkit.ts"
import { loadMinimumVersions, toolkitRisk } from "../host/escapes/minimum-versions.ts"
import type { DetectedGpu, Detection } from "../host/gpu.ts"
import {
  type CardEngine,
  chooseGpus,
  type GpuBerth,
  type GpuChoice,
  gpuBerths,
  nameOf,
} from "./gpu-berths.ts"
import { divide, ownersDefault, type ServedSlot } from "./slots.ts"

/** What the owner gives; cores and memory are for all slots together. */
export interface Offering {
  gpus: GpuChoice
  cpuSlots: number
  cpus?: number | undefined
  memoryMiB?: number | undefined
  /** What each slot asks for a second; any price when not given. */
  ask?: NanoCreditsPerSecond | undefined
}

export interface OpenSlots {
  slots: ServedSlot[]
  /** The cards behind them. */
  berths: GpuBerth[]
  /** Every card of the machine, offered or not. */
  detected: DetectedGpu[]
}

export interface SlotsOptions {
  /** Where the owner's newer table of known escapes lies, if there is one. */
  minimumVersions: string
  offering: Offering
  /** Where sysfs is mounted. */
  sysfs: string
  engine: CardEngine
  log: Logger
}

/** Looks at the cards and makes the slots. @throws Fault `gpu-unusable`, `toolkit-unsafe`, `nothing-to-offer`. */
export async function openSlots(
  { offering, sysfs, engine, minimumVersions, log }: SlotsOptions,
  signal: AbortSignal,
): Promise<OpenSlots> {
  const { gpus: choice, cpuSlots, ...given } = offering
  const detection = choice === "none" ? { gpus: [], problems: [] } : await detect(sysfs, signal)
  for (const { source, message, hint } of detection.problems)
    log.warn({ source, message, hint }, "gpus.problem")
  const { cards, passedOver } = chooseGpus(detection.gpus, choice, engine)
  if (cards.some(({ gpu }) => gpu.vendor === "nvidia")) await refuseEscape(minimumVersions, signal)
  for (const { gpu, identity, reason } of passedOver)
    log.info({ gpu: identity, name: nameOf(gpu), reason }, "gpu.passed-over")
  const berths = await gpuBerths(cards, engine)
  if (cpuSlots + berths.length === 0) throw nothingToOffer(choice)
  const limits = ownersDefault()
  const { cpus = limits.cpus, memoryMiB = limits.memoryMiB } = given
  const slots = divide({ cpuSlots, gpus: berths, cpus, memoryMiB, ask: given.ask })
  return { slots, berths, detected: detection.gpus }
}

/** Loaded when there is something to look for: the parser of what NVIDIA's tool prints takes 8 MB for as long as the agent runs. */
async function detect(sysfs: string, signal: AbortSignal): Promise<Detection> {
  const { detectGpus } = await import("../host/detect-gpus.ts")
  return detectGpus({ sysfs, signal })
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

/** An NVIDIA card is given to a container by NVIDIA's toolkit: one that lets a container out gives the machine away. */
async function refuseEscape(minimumVersions: string, signal: AbortSignal): Promise<void> {
  const version = (await findToolkit(signal))?.version ?? null
  const { table } = await loadMinimumVersions(minimumVersions)
  const { state, open } = toolkitRisk(version, table)
  if (state !== "escape") return
  const named = open.map(({ cve }) => cve).join(", ")
  throw new Fault("toolkit-unsafe", `NVIDIA's Container Toolkit ${version} lets a container out: ${named}.`, {
    hint: "Update it (`zg-agent doctor` says how), or serve without cards: `zg-agent serve --gpus none`.",
    facts: { version, escapes: named },
  })
}
