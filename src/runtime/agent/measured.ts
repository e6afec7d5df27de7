import os from "node:os"
import { type CapacityReport, isWhole, Part } from "../../protocol/capacity-report.ts"
import { isFault } from "../../protocol/fault.ts"
import { History, type SignedReport } from "../bench/report/history.ts"
import { whyOutdated } from "../bench/report/outdated.ts"
import type { DetectedGpu } from "../host/gpu.ts"
import type { BenchOptions } from "./bench.ts"

export interface MeasuredOptions extends Omit<BenchOptions, "depth" | "parts"> {
  /** The cards as they are now; null where nobody looked for any. */
  gpus: DetectedGpu[] | null
  /** Whether nothing of the agent's own is at work or paused, so that the machine may be measured now. */
  isFree: boolean
  /** Told before a measurement, which may take minutes. */
  onMeasuring: () => Promise<void>
}

const HINT = "Measure it with `zg-agent bench`: shards that ask for figures go to those who have them."

/**
 * What the marketplace is told of this machine: the newest whole report. Where cards, driver or kernel are others since, the machine is
 * measured again, quickly, before the agent takes work. Null where it was never measured, or cannot be now.
 * @throws Fault `host-unsound`, `disk-full`; the signal's reason.
 */
export async function measuredHere(
  options: MeasuredOptions,
  signal: AbortSignal,
): Promise<SignedReport | null> {
  const { home, gpus, isFree, log } = options
  const made = await new History(home.reports).newest(isWhole)
  if (made === null) {
    log.info({ hint: HINT }, "bench.missing")
    return null
  }
  const changed = gpus && whyOutdated(made.report, gpus, os.release())
  if (!changed) return made
  log.warn({ changed, ...(isFree ? {} : { hint: HINT }) }, "bench.outdated")
  return isFree ? measureAnew(options, signal) : null
}

async function measureAnew(options: MeasuredOptions, signal: AbortSignal): Promise<SignedReport | null> {
  const { onMeasuring, log } = options
  await onMeasuring()
  // Loaded when it is needed: it would only take memory from an agent that serves.
  const { bench } = await import("./bench.ts")
  try {
    const depth = "quick"
    const { report, bundle, path } = await bench(
      { ...options, depth, parts: new Set(Part.options) },
      { signal },
    )
    log.info({ path, ...statesOf(report) }, "bench.done")
    return { report, bundle }
  } catch (error) {
    if (!isFault(error) || error.code === "host-unsound" || error.code === "disk-full") throw error
    log.warn({ code: error.code, message: error.message, hint: HINT }, "bench.failed")
    return null
  }
}

function statesOf({ cards }: CapacityReport): { cards: Record<string, string> } {
  return { cards: Object.fromEntries(cards.map(({ identity, state }) => [identity, state])) }
}
