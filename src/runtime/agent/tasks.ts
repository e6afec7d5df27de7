/** What goes on in the background, to be waited for at the end. */
export class Tasks {
  #running = new Set<Promise<void>>()
  #bug = Promise.withResolvers<never>()

  /** Rejects when a task fails: a supervisor starts the agent again, and the journal tells where it was. */
  get bug(): Promise<never> {
    return this.#bug.promise
  }

  track(task: Promise<void>): void {
    const tracked = task.catch(error => this.#bug.reject(error)).finally(() => this.#running.delete(tracked))
    this.#running.add(tracked)
  }

  /** Those that are begun by tasks meanwhile are waited for too. */
  async over(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running)
  }
}
