import type { Meter } from "../../host/telemetry/meter.ts"
import { type Figures, measurementOf, unmeasured } from "../host/figure.ts"
import { afterWarmUp, hasLearned, stepRates } from "./step-rate.ts"
import type { Watched, WorkBudget } from "./watch-steps.ts"
import { tokensPerStep, type Workload } from "./workload.ts"

const LEAST_INTERVALS = 3

/**
 * What the progress came to; the energy is that of the time that counts.
 * @param meter of the cards that did the work; null where none tells its power.
 */
export function figuresOf(
  watched: Watched,
  workload: Workload,
  budget: WorkBudget,
  meter: Meter | null,
): Figures & { steps: number } {
  const trouble = troubleWith(watched, budget)
  if (trouble !== null) return { ...none(workload, trouble), steps: 0 }
  const counted = afterWarmUp(watched.told, budget.warmUp)
  const tokens = tokensPerStep(workload)
  const rates = stepRates(counted).map(rate => rate * tokens)
  const [first, last] = [counted[0], counted.at(-1)]
  const steps = (last?.step ?? 0) - (first?.step ?? 0)
  const joules = (meter && first && last && meter.read(first.wallMs, last.wallMs).energyJoules) ?? null
  const energy = `${workload.name}-energy`
  const speed = measurementOf(workload.name, "tokens/s", rates)
  if (joules === null || joules <= 0)
    return { measurements: [speed], unmeasured: [unmeasured(energy, NO_POWER)], steps }
  const perJoule = measurementOf(energy, "tokens/J", [(steps * tokens) / joules])
  return { measurements: [speed, perJoule], unmeasured: [], steps }
}

const NO_POWER = "No card that did this work tells how much power it draws."

/** Why there is no figure; null where there is one. */
function troubleWith(watched: Watched, { warmUp, startLimitMs, limitMs }: WorkBudget): string | null {
  if (watched.end === "start limit") return `The trainer made no step within ${startLimitMs / 1000} s.`
  if (watched.end === "by itself") return howEnded(watched)
  if (stepRates(afterWarmUp(watched.told, warmUp)).length < LEAST_INTERVALS)
    return `The trainer is too slow here to be measured: it made ${watched.told.at(-1)?.step ?? 0} steps in ${limitMs / 1000} s.`
  if (!hasLearned(watched.told))
    return "The model did not learn: what was computed is not right. Test the memory and the card before you serve."
  return null
}

function howEnded({ exitCode, oomKilled, said }: Extract<Watched, { end: "by itself" }>): string {
  if (oomKilled) return "The trainer needs more memory than this slot gives: give more, or fewer slots."
  const words = said === "" ? "" : ` Its last words: ${said}`
  return `The trainer ended by itself with exit code ${exitCode ?? "unknown"}.${words}`
}

/** Both figures with the same reason. */
export function none({ name }: Workload, reason: string): Figures {
  return { measurements: [], unmeasured: [unmeasured(name, reason), unmeasured(`${name}-energy`, reason)] }
}
