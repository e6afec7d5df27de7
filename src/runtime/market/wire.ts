import { Channel } from "../../protocol/channel.ts"
import { HANDSHAKE_FRAMES } from "../../protocol/delivery.ts"
import { type Fault, isFault } from "../../protocol/fault.ts"
import { parseMarketFrame } from "../../protocol/frame.ts"
import {
  type ClientMessage,
  isPassing,
  type MarketFrame,
  type MarketFrameOf,
  type MarketType,
} from "../../protocol/message.ts"
import type { Closed, Connection } from "./connection.ts"
import { lost, outOfPlace, refusal, silent } from "./trouble.ts"

const POLICY_VIOLATION = 1008
/** How long an answer may take, while there is a socket. */
export const REPLY_LIMIT_MS = 20_000

interface Awaited {
  types: readonly MarketType[]
  resolve: (frame: MarketFrame) => void
  reject: (error: unknown) => void
  /** Begins to count towards the limit, anew on each socket. */
  watch: () => void
  pause: () => void
}

/**
 * A session that speaks zg.v1 over one socket after another: what is sent arrives once and in order, answers are paired with requests,
 * and a request that waits gets its answer on whichever socket is there then.
 */
export class Wire {
  readonly url: string
  /** Settles when the session is over, with the fault that says why. */
  readonly closed: Promise<Fault>
  readonly #resumes: boolean
  readonly #channel = new Channel()
  #connection: Connection | null = null
  #awaited = new Map<number, Awaited>()
  #listeners = new Set<(frame: MarketFrame) => void>()
  #why: Fault | null = null
  #over: (why: Fault) => void

  /** @param resumes whether somebody attaches another socket when one is lost; if nobody does, the session ends with it. */
  constructor(url: string, resumes: boolean) {
    const over = Promise.withResolvers<Fault>()
    this.url = url
    this.#resumes = resumes
    this.closed = over.promise
    this.#over = over.resolve
  }

  get isConnected(): boolean {
    return this.#connection?.isOpen ?? false
  }

  /** Settles when the socket of this moment ends. */
  get disconnected(): Promise<Closed> {
    return this.#connection?.closed ?? Promise.resolve({ code: 1000, reason: "" })
  }

  get isOver(): boolean {
    return this.#why !== null
  }

  /** The highest number received in order. */
  get received(): number {
    return this.#channel.received
  }

  /** Whether it can go on with an end that has received so far. */
  reaches(received: number): boolean {
    return !this.isOver && this.#channel.reaches(received)
  }

  /** Goes on over this socket with what the other end lacks. Only where it {@link reaches}. */
  attach(connection: Connection, received = HANDSHAKE_FRAMES): void {
    this.#connection?.drop()
    this.#connection = connection
    void connection.closed.then(closed => this.#detach(connection, closed))
    this.#channel.attach(text => connection.send(text), received)
    for (const { watch } of this.#awaited.values()) watch()
    connection.receive(text => this.#receive(connection, text))
  }

  /** Sends without waiting for an answer; passing messages are lost while there is no socket. @throws Fault why the session is over. */
  send(message: ClientMessage): number {
    if (this.#why) throw this.#why
    if (!isPassing(message)) return this.#channel.send(message)
    this.#channel.pass(message)
    return 0
  }

  /** As `send`, to an end that can do without it: it is lost when the session is over. */
  tell(message: ClientMessage): void {
    if (!this.#why) this.send(message)
  }

  /**
   * Sends and waits for the answer of the given type, or of one of them.
   * @throws the marketplace's refusal as a Fault; `market-silent` after the limit, which counts while there is a socket; `market-lost` when
   * the session is over.
   */
  async request<Type extends MarketType>(
    message: ClientMessage,
    type: Type | readonly Type[],
    signal: AbortSignal,
    timeoutMs = REPLY_LIMIT_MS,
  ): Promise<MarketFrameOf<Type>> {
    signal.throwIfAborted()
    const seq = this.send(message)
    let timer: NodeJS.Timeout | undefined
    const pause = () => clearTimeout(timer)
    const watch = () => {
      pause()
      timer = setTimeout(() => this.#reject(seq, silent(this.url, message.type)), timeoutMs)
    }
    const answered = new Promise<MarketFrame>((resolve, reject) =>
      this.#awaited.set(seq, { types: [type].flat(), resolve, reject, watch, pause }),
    )
    if (this.#connection) watch()
    const abort = () => this.#reject(seq, signal.reason)
    signal.addEventListener("abort", abort, { once: true })
    try {
      return (await answered) as MarketFrameOf<Type>
    } finally {
      pause()
      signal.removeEventListener("abort", abort)
    }
  }

  /** Calls back for every frame that is no answer; returns how to stop that. */
  listen(listener: (frame: MarketFrame) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Seconds to the other end and back, over the socket of this moment. Throws Fault `market-lost`, the signal's reason. */
  async roundTrip(signal: AbortSignal): Promise<number> {
    if (this.#connection === null) throw lost(this.url, { code: 1006, reason: "there is no socket just now" })
    return this.#connection.roundTrip(signal)
  }

  /** Gives the socket up, not the session. */
  drop(): void {
    this.#connection?.drop()
  }

  /** Says goodbye: the session is over at both ends. */
  async close(): Promise<void> {
    const connection = this.#connection
    this.end(lost(this.url, { code: 1000, reason: "" }))
    await connection?.close()
  }

  /** The session cannot go on. */
  end(why: Fault): void {
    if (this.#why) return
    this.#why = why
    this.#connection = null
    this.#channel.detach()
    for (const seq of [...this.#awaited.keys()]) this.#reject(seq, why)
    this.#over(why)
  }

  #receive(connection: Connection, text: string): void {
    if (connection !== this.#connection) return
    try {
      const frame = parseMarketFrame(text)
      if (this.#channel.take(frame)) this.#dispatch(frame)
    } catch (error) {
      if (!isFault(error)) throw error
      // What is missing may still come on the next socket; what cannot be read would come again and again.
      if (error.code === "message-out-of-order")
        this.#detach(connection, { code: POLICY_VIOLATION, reason: error.code })
      else this.end(error)
      connection.close(POLICY_VIOLATION, error.code).catch(() => {})
    }
  }

  #dispatch(frame: MarketFrame): void {
    const awaited = frame.re === undefined ? undefined : this.#awaited.get(frame.re)
    if (!awaited || frame.re === undefined) {
      for (const listener of this.#listeners) listener(frame)
      return
    }
    this.#awaited.delete(frame.re)
    if (awaited.types.includes(frame.type)) awaited.resolve(frame)
    else if (frame.type === "refused") awaited.reject(refusal(frame))
    else awaited.reject(outOfPlace(awaited.types.join(" or "), frame.type))
  }

  #reject(seq: number, error: unknown): void {
    this.#awaited.get(seq)?.reject(error)
    this.#awaited.delete(seq)
  }

  #detach(connection: Connection, closed: Closed): void {
    if (connection !== this.#connection) return
    if (!this.#resumes) this.end(lost(this.url, closed))
    this.#connection = null
    this.#channel.detach()
    for (const { pause } of this.#awaited.values()) pause()
  }
}
