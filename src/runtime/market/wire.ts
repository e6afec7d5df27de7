import { type RawData, WebSocket } from "ws"
import { Fault, isFault } from "../../protocol/fault.ts"
import { parseMarketFrame } from "../../protocol/frame.ts"
import {
  type ClientMessage,
  FRAME_LIMIT_BYTES,
  type MarketFrame,
  type MarketFrameOf,
  type MarketType,
  SUBPROTOCOL,
} from "../../protocol/message.ts"

const CONNECT_LIMIT_MS = 10_000
/** The marketplace pings every 15 s: silence for three of them means that the connection is dead. */
const SILENCE_LIMIT_MS = 45_000
export const REPLY_LIMIT_MS = 20_000

interface Awaited {
  type: MarketType
  resolve: (frame: MarketFrame) => void
  reject: (error: unknown) => void
}

/** One socket that speaks zg.v1: numbers what it sends, checks the numbers that come, and pairs answers with requests. */
export class Wire {
  readonly url: string
  /** Settles when the socket is closed, with the fault that says why. */
  readonly closed: Promise<Fault>
  #socket: WebSocket
  #sent = 0
  #received = 0
  #awaited = new Map<number, Awaited>()
  #listeners = new Set<(frame: MarketFrame) => void>()
  #why: Fault | null = null
  #silence: NodeJS.Timeout | undefined

  private constructor(url: string, socket: WebSocket) {
    this.url = url
    this.#socket = socket
    this.closed = new Promise(resolve => {
      socket.on("close", (code, reason) => resolve(this.#end(code, reason.toString())))
    })
    socket.on("message", (data, isBinary) => this.#receive(data, isBinary))
    socket.on("ping", () => this.#heard())
    socket.on("error", () => {})
    this.#heard()
  }

  /** @throws Fault `market-unreachable`, or `protocol-mismatch` when the other end does not speak zg.v1. */
  static async dial(url: string, signal: AbortSignal): Promise<Wire> {
    const socket = new WebSocket(url, SUBPROTOCOL, {
      maxPayload: FRAME_LIMIT_BYTES,
      perMessageDeflate: false,
      handshakeTimeout: CONNECT_LIMIT_MS,
    })
    const wire = new Wire(url, socket)
    const abort = () => socket.terminate()
    signal.addEventListener("abort", abort, { once: true })
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once("open", resolve)
        socket.once("error", reject)
        socket.once("close", () => reject(new Error("closed before it opened")))
      })
      return wire
    } catch (cause) {
      signal.throwIfAborted()
      throw unreachable(url, cause as Error)
    } finally {
      signal.removeEventListener("abort", abort)
    }
  }

  /** Sends without waiting for an answer. @throws Fault why the socket is closed. */
  send(message: ClientMessage): number {
    if (this.#why) throw this.#why
    const seq = ++this.#sent
    this.#socket.send(JSON.stringify({ ...message, seq }))
    return seq
  }

  /** Sends what the other end can do without: it is lost when the socket is closed. */
  tell(message: ClientMessage): void {
    if (!this.#why) this.send(message)
  }

  /**
   * Sends and waits for the answer of the given type.
   * @throws the marketplace's refusal as a Fault; `market-silent` after the limit; `market-lost` when the socket closes.
   */
  async request<Type extends MarketType>(
    message: ClientMessage,
    type: Type,
    signal: AbortSignal,
    timeoutMs = REPLY_LIMIT_MS,
  ): Promise<MarketFrameOf<Type>> {
    signal.throwIfAborted()
    const seq = this.send(message)
    const answered = new Promise<MarketFrame>((resolve, reject) =>
      this.#awaited.set(seq, { type, resolve, reject }),
    )
    const timer = setTimeout(() => this.#reject(seq, silent(this.url, message.type)), timeoutMs)
    const abort = () => this.#reject(seq, signal.reason)
    signal.addEventListener("abort", abort, { once: true })
    try {
      return (await answered) as MarketFrameOf<Type>
    } finally {
      clearTimeout(timer)
      signal.removeEventListener("abort", abort)
    }
  }

  /** Calls back for every frame that is no answer; returns how to stop that. */
  listen(listener: (frame: MarketFrame) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async close(): Promise<void> {
    this.#socket.close(1000)
    const timer = setTimeout(() => this.#socket.terminate(), 2000)
    await this.closed
    clearTimeout(timer)
  }

  #receive(data: RawData, isBinary: boolean): void {
    this.#heard()
    try {
      const frame = parseMarketFrame(isBinary ? "" : data.toString())
      if (frame.seq !== ++this.#received) throw outOfOrder(this.#received, frame.seq)
      this.#dispatch(frame)
    } catch (error) {
      if (!isFault(error)) throw error
      this.#why = error
      this.#socket.close(1008, error.code)
    }
  }

  #dispatch(frame: MarketFrame): void {
    const awaited = frame.re === undefined ? undefined : this.#awaited.get(frame.re)
    if (!awaited || frame.re === undefined) {
      for (const listener of this.#listeners) listener(frame)
      return
    }
    this.#awaited.delete(frame.re)
    if (frame.type === awaited.type) awaited.resolve(frame)
    else if (frame.type === "refused") awaited.reject(refusal(frame))
    else awaited.reject(outOfPlace(awaited.type, frame.type))
  }

  #reject(seq: number, error: unknown): void {
    this.#awaited.get(seq)?.reject(error)
    this.#awaited.delete(seq)
  }

  #heard(): void {
    clearTimeout(this.#silence)
    this.#silence = setTimeout(() => this.#socket.terminate(), SILENCE_LIMIT_MS)
  }

  #end(code: number, reason: string): Fault {
    clearTimeout(this.#silence)
    this.#why ??= lost(this.url, code, reason)
    for (const seq of [...this.#awaited.keys()]) this.#reject(seq, this.#why)
    return this.#why
  }
}

export function refusal({ code, message, hint }: MarketFrameOf<"refused">): Fault {
  return new Fault(code, message, { hint })
}

function unreachable(url: string, cause: Error): Fault {
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

function lost(url: string, code: number, reason: string): Fault {
  return new Fault("market-lost", `The connection to ${url} ended${reason ? `: ${reason}` : ""}.`, {
    hint: "It is dialled again by itself while serving; otherwise run the command again.",
    facts: { closeCode: code },
  })
}

function silent(url: string, type: string): Fault {
  return new Fault("market-silent", `The marketplace at ${url} did not answer a ${type} message in time.`, {
    hint: "Try again; if it stays silent, ask its operator.",
  })
}

function outOfOrder(expected: number, got: number): Fault {
  return new Fault("message-out-of-order", `Frame ${got} came where frame ${expected} was due.`, {
    hint: "The connection is dialled again.",
  })
}

function outOfPlace(expected: string, got: string): Fault {
  return new Fault(
    "message-malformed",
    `A ${got} message came in answer where a ${expected} message was due.`,
    {
      hint: "Use the same version of zg-agent on both ends.",
    },
  )
}
