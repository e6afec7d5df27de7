/** One line of a program's log. */
export interface LogEvent {
  by: string
  /** Milliseconds since 1970 on this harness's clock, not the program's, which may be made to jump. */
  at: number
  event: string
  fields: Record<string, unknown>
}

interface Waiting {
  wanted: (told: LogEvent) => boolean
  found: (told: LogEvent) => void
}

/** What the programs of one lane have told since the run began, in the order in which it was read. */
export class Timeline {
  #events: LogEvent[] = []
  #waiting = new Set<Waiting>()

  clear(): void {
    this.#events = []
  }

  add(told: LogEvent): void {
    this.#events.push(told)
    for (const waiting of [...this.#waiting]) {
      if (!waiting.wanted(told)) continue
      this.#waiting.delete(waiting)
      waiting.found(told)
    }
  }

  all(): readonly LogEvent[] {
    return this.#events
  }

  /** The first such event from `since` on, told already or still to come. @throws the signal's reason. */
  async until(
    wanted: (told: LogEvent) => boolean,
    { since = 0, signal }: { since?: number; signal: AbortSignal },
  ): Promise<LogEvent> {
    const late = (told: LogEvent) => told.at >= since && wanted(told)
    const known = this.#events.find(late)
    if (known) return known
    signal.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<LogEvent>()
    const waiting = { wanted: late, found: resolve }
    const abort = () => reject(signal.reason)
    this.#waiting.add(waiting)
    signal.addEventListener("abort", abort, { once: true })
    try {
      return await promise
    } finally {
      this.#waiting.delete(waiting)
      signal.removeEventListener("abort", abort)
    }
  }
}
