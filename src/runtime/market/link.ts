import pRetry from "p-retry"
import type { Logger } from "pino"
import { isFault } from "../../protocol/fault.ts"
import type { ClientMessage, MarketFrameOf, MarketType } from "../../protocol/message.ts"
import { openSession, type Session, type SessionOptions } from "./session.ts"

const FIRST_BACKOFF_MS = 500
const LONGEST_BACKOFF_MS = 30_000

/** A session that is dialled again whenever it is lost, for as long as the agent serves. */
export class Link {
  #options: SessionOptions
  #log: Logger
  #session: Session | null = null
  #waiting: PromiseWithResolvers<Session> = Promise.withResolvers()

  constructor(options: SessionOptions, log: Logger) {
    this.#options = options
    this.#log = log
  }

  /** The session of this moment, or null while there is none. */
  get current(): Session | null {
    return this.#session
  }

  /**
   * Keeps a session until the signal aborts; `greet` is called with each new one.
   * @throws what `greet` throws, or the fault that makes dialling again pointless, such as `market-key-changed` or `not-registered`.
   */
  async keep(greet: (session: Session) => void, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const session = await this.#dial(signal)
      if (session === null) return
      this.#log.info({ market: session.market.keyId, url: this.#options.url }, "market.connected")
      try {
        greet(session)
      } catch (error) {
        await session.wire.close()
        throw error
      }
      this.#session = session
      this.#waiting.resolve(session)
      const why = await closedOrAborted(session, signal)
      this.#session = null
      this.#waiting = Promise.withResolvers()
      if (why) this.#log.warn({ code: why.code, facts: why.facts }, "market.lost")
    }
  }

  async session(signal: AbortSignal): Promise<Session> {
    signal.throwIfAborted()
    if (this.#session) return this.#session
    const aborted = Promise.withResolvers<never>()
    const abort = () => aborted.reject(signal.reason)
    signal.addEventListener("abort", abort, { once: true })
    try {
      return await Promise.race([this.#waiting.promise, aborted.promise])
    } finally {
      signal.removeEventListener("abort", abort)
    }
  }

  /** Asks until an answer comes, over as many sessions as it takes; only a refusal or the signal ends it earlier. */
  async request<Type extends MarketType>(
    message: ClientMessage,
    type: Type,
    signal: AbortSignal,
  ): Promise<MarketFrameOf<Type>> {
    for (;;) {
      const { wire } = await this.session(signal)
      try {
        return await wire.request(message, type, signal)
      } catch (error) {
        if (!isFault(error, "market-lost", "market-silent")) throw error
        await wire.close()
      }
    }
  }

  async #dial(signal: AbortSignal): Promise<Session | null> {
    try {
      return await pRetry(() => openSession(this.#options, signal), {
        retries: Number.POSITIVE_INFINITY,
        minTimeout: FIRST_BACKOFF_MS,
        maxTimeout: LONGEST_BACKOFF_MS,
        randomize: true,
        signal,
        shouldRetry: ({ error }) => isFault(error, "market-unreachable", "market-lost", "market-silent"),
        onFailedAttempt: ({ error, attemptNumber }) =>
          this.#log.warn({ attempt: attemptNumber, error: error.message }, "market.unreachable"),
      })
    } catch (error) {
      if (signal.aborted) return null
      throw error
    }
  }
}

async function closedOrAborted(session: Session, signal: AbortSignal) {
  const aborted = Promise.withResolvers<null>()
  const abort = () => aborted.resolve(null)
  signal.addEventListener("abort", abort, { once: true })
  if (signal.aborted) abort()
  const why = await Promise.race([session.wire.closed, aborted.promise])
  signal.removeEventListener("abort", abort)
  if (why === null) await session.wire.close()
  return why
}
