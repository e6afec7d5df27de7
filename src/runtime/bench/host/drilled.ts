import type { Measurement } from "../../../protocol/measurement.ts"
import { Crew, Refused } from "./crew.ts"
import type { Drill } from "./drill.ts"
import { type Budget, type Figures, repeated, unmeasured, type Watch } from "./figure.ts"

/** What is measured, by so many threads at once. */
export interface Exercise extends Pick<Measurement, "name" | "unit"> {
  drill: Drill
  threads: number
}

/**
 * Measures what threads come to together in a second. Their results are looked at before and after.
 * @throws Fault `host-unsound` when one is wrong; the signal's reason.
 */
export async function drilled(exercise: Exercise, budget: Budget, watch: Watch): Promise<Figures> {
  const { name, drill, threads } = exercise
  try {
    await using crew = await Crew.muster(drill, threads, watch.signal)
    const measurement = await repeated(exercise, budget, () => crew.work(budget.windowMs), watch)
    await crew.check()
    return { measurements: [measurement], unmeasured: [] }
  } catch (error) {
    watch.signal.throwIfAborted()
    if (!(error instanceof Refused)) throw error
    return {
      measurements: [],
      unmeasured: [unmeasured(name, `This machine did not do it: ${error.message}.`)],
    }
  }
}
