import { randomUUID } from "node:crypto"
import { WebSocket } from "ws"
import { Fault } from "../../protocol/fault.ts"
import { FRAME_LIMIT_BYTES, SUBPROTOCOL } from "../../protocol/message.ts"
import { lost } from "./trouble.ts"

const CONNECT_LIMIT_MS = 10_000
/** The marketplace pings every 15 s: silence for three of them means that the connection is dead. */
const SILENCE_LIMIT_MS = 45_000
const GOODBYE_LIMIT_MS = 2000

/** How a socket ended (RFC 6455, 7.4.1). */
export interface Closed {
  code: number
  reason: string
}

/** One WebSocket to a marketplace; texts that arrive before somebody takes them wait. */
export class Connection {
  readonly closed: Promise<Closed>
  readonly #socket: WebSocket
  readonly #silenceMs: number
  #waiting: string[] = []
  #take: ((text: string) => void) | null = null
  #silence: NodeJS.Timeout | undefined

  private constructor(socket: WebSocket, silenceMs: number) {
    this.#socket = socket
    this.#silenceMs = silenceMs
    this.closed = new Promise(resolve => {
      socket.on("close", (code, reason) => {
        clearTimeout(this.#silence)
        resolve({ code, reason: reason.toString() })
      })
    })
    socket.on("message", (data, isBinary) => this.#receive(isBinary ? "" : data.toString()))
    socket.on("ping", () => this.#heard())
    socket.on("error", () => {})
    this.#heard()
  }

  /**
   * @param silenceMs after this long without a byte from there the connection counts as lost.
   * @throws Fault `market-unreachable`, or `protocol-mismatch` when the other end does not speak zg.v1.
   */
  static async dial(url: string, signal: AbortSignal, silenceMs = SILENCE_LIMIT_MS): Promise<Connection> {
    signal.throwIfAborted()
    const socket = new WebSocket(url, SUBPROTOCOL, {
      maxPayload: FRAME_LIMIT_BYTES,
      perMessageDeflate: false,
      handshakeTimeout: CONNECT_LIMIT_MS,
    })
    const connection = new Connection(socket, silenceMs)
    const abort = () => socket.terminate()
    signal.addEventListener("abort", abort, { once: true })
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once("open", resolve)
        socket.once("error", reject)
        socket.once("close", () => reject(new Error("closed before it opened")))
      })
      return connection
    } catch (cause) {
      signal.throwIfAborted()
      throw unreachable(url, cause as Error)
    } finally {
      signal.removeEventListener("abort", abort)
    }
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN
  }

  send(text: string): void {
    if (this.isOpen) this.#socket.send(text)
  }

  /**
   * Seconds until the other end's answer to a ping (RFC 6455, 5.5.2), which needs no work of its own there.
   * @throws the signal's reason; Fault `market-lost` when the socket ends first.
   */
  async roundTrip(signal: AbortSignal): Promise<number> {
    const payload = randomUUID()
    const answered = Promise.withResolvers<number>()
    const started = performance.now()
    const pong = (data: Buffer) => {
      if (data.toString() === payload) answered.resolve((performance.now() - started) / 1000)
    }
    const abort = () => answered.reject(signal.reason)
    this.#socket.on("pong", pong)
    signal.addEventListener("abort", abort, { once: true })
    try {
      signal.throwIfAborted()
      if (this.isOpen) this.#socket.ping(payload)
      const ended = this.closed.then(closed => Promise.reject(lost(this.#socket.url, closed)))
      return await Promise.race([answered.promise, ended])
    } finally {
      this.#socket.off("pong", pong)
      signal.removeEventListener("abort", abort)
    }
  }

  /** From now on every text goes to `take`, those that wait at once; an empty one stands for a binary frame. */
  receive(take: (text: string) => void): void {
    this.#take = take
    for (const text of this.#waiting.splice(0)) take(text)
  }

  /** The next text, before somebody takes them all; null when the socket ends first. */
  async next(): Promise<string | null> {
    const waiting = this.#waiting.shift()
    if (waiting !== undefined) return waiting
    const arrived = Promise.withResolvers<string>()
    this.#take = text => {
      this.#take = null
      arrived.resolve(text)
    }
    return Promise.race([arrived.promise, this.closed.then(() => null)])
  }

  /** Says goodbye; the other end has no more to keep. */
  async close(code = 1000, reason = ""): Promise<void> {
    this.#socket.close(code, reason)
    const timer = setTimeout(() => this.#socket.terminate(), GOODBYE_LIMIT_MS)
    await this.closed
    clearTimeout(timer)
  }

  /** Ends it without a goodbye, so that the session can go on over another. */
  drop(): void {
    this.#socket.terminate()
  }

  #receive(text: string): void {
    this.#heard()
    if (this.#take) this.#take(text)
    else this.#waiting.push(text)
  }

  #heard(): void {
    clearTimeout(this.#silence)
    this.#silence = setTimeout(() => this.#socket.terminate(), this.#silenceMs)
  }
}

/** What a marketplace answers that is starting, and a proxy before one that is away (RFC 9110, 15.6): it passes. */
const NOT_READY = /Unexpected server response: 5\d\d/

function unreachable(url: string, cause: Error): Fault {
  if (NOT_READY.test(cause.message)) {
    return new Fault("market-unreachable", `The marketplace at ${url} is not ready.`, {
      hint: "It may be starting: try again in a moment.",
      facts: { error: cause.message },
      cause,
    })
  }
  if (cause.message.includes("subprotocol") || cause.message.includes("Unexpected server response")) {
    return new Fault("protocol-mismatch", `${url} answers, but does not speak ${SUBPROTOCOL}.`, {
      hint: "Check the address and port; a marketplace of another version needs another version of zg-agent.",
      cause,
    })
  }
  return new Fault("market-unreachable", `No marketplace answers at ${url}.`, {
    hint: "Check the address, or start one with `zg-agent market start`.",
    facts: { error: (cause as NodeJS.ErrnoException).code ?? cause.message },
    cause,
  })
}
