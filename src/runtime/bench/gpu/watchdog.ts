/** Why a process has to be killed. */
export type Bark = "aborted" | "late" | "silent"

/** Barks once: by the signal, when all has taken too long, or when nothing was heard for too long. */
export interface Watchdog extends Disposable {
  readonly barked: Promise<Bark>
  /** Something was heard: silence is counted from now on. */
  wake(): void
  /** Silence is not counted until {@link wake}: whoever was told to wait says nothing. */
  rest(): void
}

/** @param limits in milliseconds. */
export function watchdog(limits: { limitMs: number; silenceMs: number }, signal: AbortSignal): Watchdog {
  const { promise: barked, resolve } = Promise.withResolvers<Bark>()
  const abort = () => resolve("aborted")
  signal.addEventListener("abort", abort, { once: true })
  const late = setTimeout(() => resolve("late"), limits.limitMs)
  const listen = () => setTimeout(() => resolve("silent"), limits.silenceMs)
  let silent = listen()
  const rest = () => clearTimeout(silent)
  return {
    barked,
    rest,
    wake() {
      rest()
      silent = listen()
    },
    [Symbol.dispose]() {
      signal.removeEventListener("abort", abort)
      clearTimeout(late)
      rest()
    },
  }
}
