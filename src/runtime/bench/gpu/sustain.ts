import { type Exercise, expectRight, runsFor, tryOut } from "./exercise.ts"

/** What a card came to in about a second. */
export interface Rate {
  /** Milliseconds since the epoch at its end, by the machine's clock. */
  at: number
  /** Seconds since the start, at its end. */
  second: number
  /** In the exercise's unit: FLOP/s for products. */
  perSecond: number
}

const WINDOW_MS = 1000
/** Each submission is short, so that nothing else that uses the card has to wait for long. */
const PIECE_MS = 100

/**
 * Keeps a card at work without a pause and tells what it came to in every second, by this machine's clock, as a card that throttles may slow
 * its own. Its result is looked at before and at the end.
 * @throws Wrong when a result is wrong; Unavailable; the signal's reason.
 */
export async function sustain(
  exercise: Exercise,
  seconds: number,
  onRate: (rate: Rate) => void,
  signal: AbortSignal,
): Promise<void> {
  await tryOut(exercise)
  const count = await runsFor(exercise, PIECE_MS)
  const started = performance.now()
  let windowStarted = started
  while (windowStarted - started < seconds * 1000) {
    let runs = 0
    const until = Math.min(windowStarted + WINDOW_MS, started + seconds * 1000)
    do {
      signal.throwIfAborted()
      await exercise.run(count)
      runs += count
    } while (performance.now() < until)
    const now = performance.now()
    const perSecond = (runs * exercise.amount) / ((now - windowStarted) / 1000)
    onRate({ at: Date.now(), second: (now - started) / 1000, perSecond })
    windowStarted = now
  }
  await expectRight(exercise)
}
