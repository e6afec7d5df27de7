import type { JobId, JobStatus } from "../../protocol/job.ts"
import type { Peer } from "../gateway/roster.ts"

/** A watcher hears of a job at most this often, except of its end. */
const INTERVAL_MS = 200

interface Watch {
  peers: Set<Peer>
  sentAt: number
  timer?: NodeJS.Timeout | undefined
}

/** Who wants to hear of which job. */
export class Watches {
  #watches = new Map<JobId, Watch>()
  readonly #statusOf: (job: JobId) => JobStatus

  constructor(statusOf: (job: JobId) => JobStatus) {
    this.#statusOf = statusOf
  }

  add(job: JobId, peer: Peer): void {
    const watch = this.#watches.get(job) ?? { peers: new Set(), sentAt: 0 }
    watch.peers.add(peer)
    this.#watches.set(job, watch)
  }

  drop(peer: Peer): void {
    for (const [job, watch] of this.#watches) {
      watch.peers.delete(peer)
      if (watch.peers.size === 0) this.#forget(job)
    }
  }

  /** Tells the watchers, at once or when the interval is over. */
  changed(job: JobId): void {
    const watch = this.#watches.get(job)
    if (!watch || watch.timer) return
    const wait = Math.max(0, watch.sentAt + INTERVAL_MS - performance.now())
    watch.timer = setTimeout(() => this.#tell(job), wait)
  }

  /** Tells the watchers of the job's end, and lets them go. */
  ended(job: JobId): void {
    if (!this.#watches.has(job)) return
    this.#tell(job)
    this.#forget(job)
  }

  close(): void {
    for (const job of this.#watches.keys()) this.#forget(job)
  }

  #tell(job: JobId): void {
    const watch = this.#watches.get(job)
    if (!watch) return
    clearTimeout(watch.timer)
    watch.timer = undefined
    watch.sentAt = performance.now()
    const status = this.#statusOf(job)
    for (const peer of watch.peers) peer.send({ type: "job", status })
  }

  #forget(job: JobId): void {
    clearTimeout(this.#watches.get(job)?.timer)
    this.#watches.delete(job)
  }
}
