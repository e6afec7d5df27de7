/** A line of progress, and when it came. */
export interface Told {
  /** By a clock that never jumps. */
  monoMs: number
  /** By the machine's clock, milliseconds since the epoch. */
  wallMs: number
  step: number
  loss: number | null
}

/** What does not count: libraries choose their kernels and clocks rise in the first steps. */
export interface WarmUp {
  steps: number
  ms: number
}

/** What came after the warm-up; empty while there is nothing. */
export function afterWarmUp(told: readonly Told[], { steps, ms }: WarmUp): Told[] {
  const [first] = told
  if (first === undefined) return []
  return told.filter(({ step, monoMs }) => step >= steps && monoMs - first.monoMs >= ms)
}

/** Steps a second between each line and the next. */
export function stepRates(told: readonly Told[]): number[] {
  return told.slice(1).flatMap((one, at) => {
    const before = told[at]
    const seconds = before === undefined ? 0 : (one.monoMs - before.monoMs) / 1000
    // Two lines that came together after the engine stuttered say nothing by themselves.
    return before === undefined || seconds <= 0 ? [] : [(one.step - before.step) / seconds]
  })
}

/** Whether a model was trained at all: its loss is a number at every line, and lower at the end. */
export function hasLearned(told: readonly Told[]): boolean {
  const [first, last] = [told[0]?.loss, told.at(-1)?.loss]
  return told.every(({ loss }) => loss !== null) && first != null && last != null && last < first
}
