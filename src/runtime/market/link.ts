import { setTimeout as sleep } from "node:timers/promises"
import type { Logger } from "pino"
import { isFault } from "../../protocol/fault.ts"
import type { ClientMessage, MarketFrameOf, MarketType } from "../../protocol/message.ts"
import { backoffMs } from "./backoff.ts"
import { resumeSession, type Session, type SessionOptions } from "./session.ts"
import { lost } from "./trouble.ts"

/** A connection that held this long starts the backoff from its beginning. */
const LASTING_MS = 30_000
/** How long the answer to what must not be repeated may take, while there is a socket: as long as a lease. */
const ONCE_LIMIT_MS = 60_000

/** A session that is dialled again whenever its socket is lost, for as long as the agent serves. */
export class Link {
  readonly #options: SessionOptions
  readonly #log: Logger
  #session: Session | null = null
  #turnedAt = performance.now()
  #opened: PromiseWithResolvers<void> = Promise.withResolvers()
  #attached: PromiseWithResolvers<void> = Promise.withResolvers()

  constructor(options: SessionOptions, log: Logger) {
    this.#options = options
    this.#log = log
  }

  /** When it last dialled, or had a socket, on the clock of `performance.now`: what is long ago means that it hangs. */
  get turnedAt(): number {
    return this.current ? performance.now() : this.#turnedAt
  }

  /** The session of this moment, or null while it has no socket. */
  get current(): Session | null {
    return this.#session?.wire.isConnected ? this.#session : null
  }

  /** Bearer token for the registry endpoint, good also while the socket is lost; empty before the first session. */
  get token(): string {
    return this.#session?.token ?? ""
  }

  /**
   * Keeps a session until the signal aborts; `greet` is called with each new one, not with one that goes on.
   * @throws what `greet` throws, or the fault that makes dialling again pointless, such as `market-key-changed` or `not-registered`.
   */
  async keep(greet: (session: Session) => void, signal: AbortSignal): Promise<void> {
    let failures = 0
    try {
      for (;;) {
        if (failures > 0) await sleep(backoffMs(failures - 1, Math.random()), undefined, { signal })
        const began = performance.now()
        this.#turnedAt = began
        const held = await this.#hold(greet, signal)
        failures = held && performance.now() - began > LASTING_MS ? 1 : failures + 1
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      await this.#session?.wire.close()
    }
  }

  /** The session of this moment, with or without a socket, or else the next one. */
  async session(signal: AbortSignal): Promise<Session> {
    for (;;) {
      signal.throwIfAborted()
      if (this.#session && !this.#session.wire.isOver) return this.#session
      await unlessAborted(this.#opened.promise, signal)
    }
  }

  /** Resolves when there is a socket. */
  async connected(signal: AbortSignal): Promise<void> {
    while (this.current === null) await unlessAborted(this.#attached.promise, signal)
  }

  /** Asks until an answer comes, over as many sessions as it takes; only a refusal or the signal ends it earlier. */
  async request<Type extends MarketType>(
    message: ClientMessage,
    type: Type | readonly Type[],
    signal: AbortSignal,
  ): Promise<MarketFrameOf<Type>> {
    for (;;) {
      const { wire } = await this.session(signal)
      try {
        return await wire.request(message, type, signal)
      } catch (error) {
        if (!isFault(error, "market-lost", "market-silent")) throw error
        // Whoever does not answer may not hear either: half-open sockets are found here before their silence is long enough.
        if (error.code === "market-silent") wire.drop()
      }
    }
  }

  /**
   * Asks what must not be asked twice, over as many sockets as it takes.
   * @throws the marketplace's refusal; `market-lost` when the session is over before the answer; `market-silent`.
   */
  async requestOnce<Type extends MarketType>(
    message: ClientMessage,
    type: Type,
    signal: AbortSignal,
  ): Promise<MarketFrameOf<Type>> {
    const { wire } = await this.session(signal)
    return wire.request(message, type, signal, ONCE_LIMIT_MS)
  }

  /** Says what the marketplace would find out by itself: lost when there is no session. */
  tell(message: ClientMessage): void {
    this.#session?.wire.tell(message)
  }

  /** One connection from its dialling to its end; whether there was one. */
  async #hold(greet: (session: Session) => void, signal: AbortSignal): Promise<boolean> {
    const session = await this.#dial(signal)
    if (session === null) return false
    const { url } = this.#options
    if (session === this.#session) this.#log.info({ url }, "market.resumed")
    else this.#begin(session, greet)
    this.#attached.resolve()
    this.#attached = Promise.withResolvers()
    const { code, reason } = await unlessAborted(session.wire.disconnected, signal)
    this.#log.warn({ code: "market-lost", facts: { closeCode: code, reason } }, "market.lost")
    return true
  }

  #begin(session: Session, greet: (session: Session) => void): void {
    const { url } = this.#options
    const before = this.#session
    this.#log.info({ market: session.market.keyId, url }, "market.connected")
    this.#session = session
    // It is greeted first, so that what is asked again in it comes after the capacity.
    greet(session)
    before?.wire.end(lost(url, { code: 1000, reason: "the marketplace does not have the session any more" }))
    this.#opened.resolve()
    this.#opened = Promise.withResolvers()
  }

  async #dial(signal: AbortSignal): Promise<Session | null> {
    const earlier = this.#session && !this.#session.wire.isOver ? this.#session : null
    try {
      return await resumeSession(this.#options, earlier, signal)
    } catch (error) {
      if (!isFault(error, "market-unreachable", "market-lost", "market-silent")) throw error
      this.#log.warn({ code: error.code, error: error.message }, "market.unreachable")
      return null
    }
  }
}

async function unlessAborted<T>(task: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>()
  const abort = () => aborted.reject(signal.reason)
  signal.addEventListener("abort", abort, { once: true })
  try {
    signal.throwIfAborted()
    return await Promise.race([task, aborted.promise])
  } finally {
    signal.removeEventListener("abort", abort)
  }
}
