/**
 * So many of the process's four threads for files a driver that hangs may hold at most; the journal and the blobs need the others.
 */
const LANES = 2

/** Something that is read over and over; one reading may take for ever. */
export interface Reader {
  read(): Promise<void>
}

/**
 * Lets readers take turns in two lanes. A reader that still waits for its turn or its answer is passed over, so that it never
 * has two readings under way; one that hangs holds its lane and nobody else.
 */
export class Turns {
  readonly #waiting: Reader[] = []
  readonly #busy = new Set<Reader>()
  readonly #onBug: (error: unknown) => void
  #lanes = 0

  /** @param onBug told of what a reader throws. */
  constructor(onBug: (error: unknown) => void) {
    this.#onBug = onBug
  }

  /** Asks for one reading of each; those still under way are left alone. */
  round(readers: readonly Reader[]): void {
    for (const reader of readers) {
      if (this.#busy.has(reader)) continue
      this.#busy.add(reader)
      this.#waiting.push(reader)
    }
    while (this.#lanes < LANES && this.#waiting.length > 0) {
      this.#lanes += 1
      this.#drain().catch(this.#onBug)
    }
  }

  /** Whether a reading is under way or waited for. */
  isBusy(reader: Reader): boolean {
    return this.#busy.has(reader)
  }

  /** Forgets who waits for a turn; what is under way goes on. */
  clear(): void {
    for (const reader of this.#waiting.splice(0)) this.#busy.delete(reader)
  }

  async #drain(): Promise<void> {
    try {
      for (let reader = this.#waiting.shift(); reader; reader = this.#waiting.shift()) {
        await reader.read().finally(() => this.#busy.delete(reader as Reader))
      }
    } finally {
      this.#lanes -= 1
    }
  }
}
