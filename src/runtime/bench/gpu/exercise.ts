import type { Measurement } from "../../../protocol/measurement.ts"
import { type Budget, repeated, type Watch } from "../host/figure.ts"

/** What a card does over and over to be measured, made ready. */
export interface Exercise extends Pick<Measurement, "name" | "unit">, Disposable {
  readonly clock: Measurement["clock"]
  /** What one run comes to, in the unit times seconds. */
  amount: number
  /** Does it so many times and gives the seconds that took. */
  run(count: number): Promise<number>
  /** Makes the last result unusable, so that only a new run can be found right. */
  clear(): Promise<void>
  /** What is wrong with the last result, all of it looked at; null when all is right. */
  check(): Promise<string | null>
}

/** The card gave a wrong result. */
export class Wrong extends Error {
  override readonly name = "Wrong"
}

/** At most so many runs for one repeat, however fast they are. */
const MOST_RUNS = 4096

/**
 * Takes an exercise's figure: a result is checked before anything is timed, and the last one after.
 * @throws Wrong when a result is wrong; Unavailable; the signal's reason.
 */
export async function measure(exercise: Exercise, budget: Budget, watch: Watch): Promise<Measurement> {
  const { amount } = exercise
  await tryOut(exercise)
  const count = await runsFor(exercise, budget.windowMs)
  const once = async () => (amount * count) / (await exercise.run(count))
  const measurement = await repeated(exercise, budget, once, watch)
  await expectRight(exercise)
  return { ...measurement, clock: exercise.clock }
}

/** One run from nothing to a checked result. @throws Wrong. */
export async function tryOut(exercise: Exercise): Promise<void> {
  await exercise.clear()
  await exercise.run(1)
  await expectRight(exercise)
}

export async function expectRight(exercise: Exercise): Promise<void> {
  const trouble = await exercise.check()
  if (trouble !== null) throw new Wrong(trouble)
}

/** How many runs take about a window, by doubling: the first ones wake the card up. */
export async function runsFor({ run }: Pick<Exercise, "run">, windowMs: number): Promise<number> {
  const window = windowMs / 1000
  let count = 1
  for (;;) {
    const seconds = await run(count)
    const wanted = nextRuns(count, seconds, window)
    if (wanted <= count || count >= MOST_RUNS) return Math.max(1, Math.min(wanted, MOST_RUNS))
    count = Math.min(wanted, MOST_RUNS)
  }
}

/** Fourfold at most, as a card that has just woken up is slow. @param window in seconds. */
export function nextRuns(count: number, seconds: number, window: number): number {
  if (seconds >= window / 2) return Math.max(1, Math.min(count, Math.round((count * window) / seconds)))
  return Math.min(4 * count, Math.ceil((count * window) / seconds))
}
