/** Wakes whoever waits for the next change. */
export class Notice {
  #next = Promise.withResolvers<void>()

  get next(): Promise<void> {
    return this.#next.promise
  }

  give(): void {
    this.#next.resolve()
    this.#next = Promise.withResolvers()
  }
}
