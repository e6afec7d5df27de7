/** Runs one job at a time: rung while it runs, it runs once more after. */
export class Bell {
  #rung = false
  #silent = false
  #running: Promise<void> | null = null
  readonly #run: () => Promise<void>
  readonly #bug: (error: unknown) => void

  constructor(run: () => Promise<void>, bug: (error: unknown) => void) {
    this.#run = run
    this.#bug = bug
  }

  ring(): void {
    this.#rung = true
    this.#running ??= this.#loop()
  }

  /** No more runs; resolves when the present one is over. */
  async silence(): Promise<void> {
    this.#silent = true
    await this.#running
  }

  async #loop(): Promise<void> {
    // Yields first, so that all that rings at once is one run.
    await new Promise(resolve => setImmediate(resolve))
    while (this.#rung && !this.#silent) {
      this.#rung = false
      await this.#run().catch(this.#bug)
    }
    this.#running = null
  }
}
