import { setTimeout as sleep } from "node:timers/promises"

interface Standing {
  /** In milliseconds of `performance.now`. */
  until: number
  over: AbortController
}

/** What a pause is to the walks: it suspends those that run, and each waits here until it is over. */
export class Hold {
  #standing: Standing | null = null
  #suspend = new AbortController()

  get isOn(): boolean {
    return this.#standing !== null
  }

  /** Aborted while there is a hold, or when the next one begins. */
  get suspend(): AbortSignal {
    return this.#suspend.signal
  }

  /** Changes nothing of a hold that is there already. @param leftMs how long it may last. */
  begin(leftMs: number): void {
    this.#standing ??= { until: performance.now() + leftMs, over: new AbortController() }
    this.#suspend.abort(new DOMException("The owner paused the agent.", "AbortError"))
  }

  end(): void {
    if (this.#standing === null) return
    this.#standing.over.abort()
    this.#standing = null
    this.#suspend = new AbortController()
  }

  /** Waits until this hold is over or the signal aborts, whichever is first; false when it has lasted for too long. */
  async wait(signal: AbortSignal): Promise<boolean> {
    if (this.#standing === null) return true
    const { until, over } = this.#standing
    const either = AbortSignal.any([signal, over.signal])
    await sleep(Math.max(0, until - performance.now()), undefined, { signal: either }).catch(() => {})
    return either.aborted
  }
}
