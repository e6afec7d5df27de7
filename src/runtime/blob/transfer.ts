import { aborted } from "node:util"
import pRetry from "p-retry"
import type { Blob, Digest } from "../../protocol/digest.ts"
import { isFault } from "../../protocol/fault.ts"
import type { BlobStore } from "../../store/blob-store.ts"
import { downloadOnce } from "./download.ts"
import { Interrupted, type Registry, transferFailed } from "./registry.ts"
import { closeSession, isUploaded, openSession, type Session, sendChunk } from "./upload.ts"

export interface TransferOptions {
  registry: Registry
  store: BlobStore
  /** Resolves when the registry can be expected to answer: an outage then costs no tries, and the signal is the limit. */
  online?: (signal: AbortSignal) => Promise<unknown>
  /** Further tries in a row that bring not one byte; tries that bring some are not counted. */
  retries?: number
  /** Shortest pause before another try, in milliseconds; it doubles up to 15 s, with jitter. */
  pauseMs?: number
}

const RETRIES = 6
const PAUSE_MS = 500
const LONGEST_PAUSE_MS = 15_000

/** Moves blobs between this machine's store and a registry: resumed after a break, checked as they arrive, never whole in memory. */
export class BlobTransfer {
  readonly #options: TransferOptions
  /** A blob that two shards need at once is fetched once. */
  readonly #downloads = new Map<Digest, Promise<void>>()

  constructor(options: TransferOptions) {
    this.#options = options
  }

  /** The same registry with another store of this machine. */
  over(store: BlobStore): BlobTransfer {
    return new BlobTransfer({ ...this.#options, store })
  }

  /**
   * Returns when the blob is in the store.
   * @throws Fault `blob-missing`, `blob-corrupt`, `blob-transfer-failed` or `disk-full`; the signal's reason when it is aborted.
   */
  async download(blob: Blob, signal: AbortSignal): Promise<void> {
    const { store } = this.#options
    while ((await store.size(blob.digest)) === null) {
      signal.throwIfAborted()
      const other = this.#downloads.get(blob.digest)
      if (other === undefined) return this.#startDownload(blob, signal)
      // How another caller's download ends is that caller's business: look again, and fetch what it left.
      await Promise.race([other.catch(() => {}), aborted(signal, other)])
    }
    await store.touch(blob.digest)
  }

  /** Returns when the registry has the blob; throws as {@link download}. */
  async upload(blob: Blob, signal: AbortSignal): Promise<void> {
    const { registry, store } = this.#options
    if (await this.#retry(() => isUploaded(blob, registry, signal), signal)) return
    let session: Session | null = null
    let furthest = 0
    const attempt = async () => {
      try {
        session = await openSession(session, registry, signal)
        while (session.offset < blob.size) {
          session = await sendChunk(blob, session, { registry, store, signal })
          furthest = Math.max(furthest, session.offset)
        }
        await closeSession(blob, session, registry, signal)
      } catch (error) {
        if (disagrees(error)) session = null
        throw error
      }
    }
    await this.#retry(attempt, signal, async () => furthest)
  }

  async #startDownload(blob: Blob, signal: AbortSignal): Promise<void> {
    const { registry, store } = this.#options
    const name = blob.digest.slice("sha256:".length)
    const download = this.#retry(
      () => downloadOnce(blob, registry, store, signal),
      signal,
      () => store.received(name),
    )
    this.#downloads.set(blob.digest, download)
    await download.finally(() => this.#downloads.delete(blob.digest))
  }

  /** @param progress bytes there so far; a try that moved it further does not count against the limit of tries. */
  async #retry<T>(
    attempt: () => Promise<T>,
    signal: AbortSignal,
    progress: () => Promise<number> = async () => 0,
  ): Promise<T> {
    const { retries = RETRIES, pauseMs = PAUSE_MS, online } = this.#options
    let seen = await progress()
    let corrupt = 0
    const budget = { retries, minTimeout: pauseMs, maxTimeout: LONGEST_PAUSE_MS, randomize: true, signal }
    try {
      const once = async () => {
        await online?.(signal)
        return await attempt()
      }
      return await pRetry(once, {
        ...budget,
        // What an earlier, interrupted try left behind may be what was corrupt: once, it is fetched anew from the start.
        shouldRetry: ({ error }) =>
          error instanceof Interrupted || (isFault(error, "blob-corrupt") && corrupt++ === 0),
        shouldConsumeRetry: async () => {
          const before = seen
          seen = await progress()
          return seen <= before
        },
      })
    } catch (error) {
      if (error instanceof Interrupted)
        throw transferFailed(error.message, { status: error.status, tries: retries + 1 }, error)
      throw error
    }
  }
}

/** The two ends hold different bytes of one upload, so that it has to begin anew. */
function disagrees(error: unknown): boolean {
  return isFault(error, "blob-corrupt") || (error instanceof Interrupted && error.status === 416)
}
